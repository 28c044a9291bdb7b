// Text as WhatsApp shows it: *bold*, _italic_, ~strike~, `code`, ```blocks```, lists, quotes and links.

import { follow, webAddress } from "./addresses.js";
import { element } from "./dom.js";

const MARKS = { "*": "strong", _: "em", "~": "s" };
const LINK = /(?:https?:\/\/|www\.)[^\s<>"]+/giy;
const WORD = /[\p{L}\p{N}]/u;

const LINES = [
  { kind: "quote", pattern: /^> ?(.*)$/s },
  { kind: "bullets", pattern: /^[-*] (.*)$/s },
  { kind: "numbers", pattern: /^(\d{1,3})\. (.*)$/s },
];

// Beyond what WhatsApp takes; the time that marks take grows faster than the text.
const LONGEST = 10_000;

/** Gives the nodes of a text; one that no phone would show, as it is. */
export function formatted(text) {
  if (text.length > LONGEST) return [element("p", {}, text)];
  const nodes = [];
  let from = 0;
  for (const block of text.matchAll(/```([^]+?)```/g)) {
    nodes.push(...lines(text.slice(from, block.index).replace(/\n$/, "")));
    nodes.push(element("pre", {}, block[1].replace(/^\n/, "").replace(/\n$/, "")));
    from = block.index + block[0].length;
  }
  return [...nodes, ...lines(from ? text.slice(from).replace(/^\n/, "") : text)];
}

/** Gives a text without its marks, in one line, for a list of conversations. */
export function withoutMarks(text) {
  const start = text.slice(0, 300);
  const blocks = formatted(start).flatMap((node) => (node.matches("ul, ol") ? [...node.children] : [node]));
  const shown = element("span", {}, blocks.map((node) => [node, " "]));
  return shown.textContent.replace(/\s+/g, " ").trim();
}

function lines(text) {
  if (!text) return [];
  const groups = [];
  for (const line of text.split("\n")) {
    const { kind, pattern } = LINES.find((one) => one.pattern.test(line)) ?? { kind: "plain" };
    if (groups.at(-1)?.kind !== kind) groups.push({ kind, lines: [] });
    groups.at(-1).lines.push(pattern ? line.match(pattern) : line);
  }
  return groups.map((group) => GROUPS[group.kind](group.lines));
}

const GROUPS = {
  plain: (texts) => element("p", {}, inline(texts.join("\n"))),
  quote: (found) => element("blockquote", { dir: "auto" }, inline(found.map((one) => one[1]).join("\n"))),
  bullets: (found) => element("ul", { dir: "auto" }, found.map((one) => element("li", {}, inline(one[1])))),
  numbers: (found) =>
    element("ol", { dir: "auto" }, found.map((one) => element("li", { value: one[1] }, inline(one[2])))),
};

/** Gives the nodes of text without lines; marks that are open around it are not opened again in it. */
function inline(text, open = "") {
  const nodes = [];
  const kept = spans(text);
  let plain = "";
  let place = 0;
  const put = (node, end) => {
    nodes.push(plain, node);
    plain = "";
    place = end;
  };
  while (place < text.length) {
    const mark = text[place];
    const span = kept.get(place);
    const end = mark in MARKS && !open.includes(mark) && opens(text, place) ? closing(text, place, kept) : 0;
    if (span) put(span.node(), span.end);
    else if (end) put(element(MARKS[mark], {}, inline(text.slice(place + 1, end), open + mark)), end + 1);
    else plain += text[place++];
  }
  return [...nodes, plain];
}

/** Finds code and links, inside which no mark counts, by where they begin. */
function spans(text) {
  const found = new Map();
  for (let place = 0; place < text.length; place++) {
    let end = 0;
    if (text[place] === "`") {
      end = text.indexOf("`", place + 1) + 1;
      const inside = text.slice(place + 1, end - 1);
      if (end && inside.trim() && !inside.includes("\n")) {
        found.set(place, { end, node: () => element("code", {}, inside) });
      } else end = 0;
    } else if ("hw".includes(text[place].toLowerCase()) && !WORD.test(text[place - 1] ?? "")) {
      LINK.lastIndex = place;
      const link = LINK.exec(text)?.[0].replace(/[.,;:!?'*_~)\]}。，！？、：；）」』】]+$/u, "") ?? "";
      const address = /^www\./i.test(link) ? `http://${link}` : link;
      if (webAddress(address)) {
        end = place + link.length;
        found.set(place, { end, node: () => follow(address, link) });
      }
    }
    if (end) place = end - 1;
  }
  return found;
}

function opens(text, place) {
  const before = text[place - 1] ?? " ";
  const after = text[place + 1] ?? " ";
  return !WORD.test(before) && before !== text[place] && after !== text[place] && !/\s/.test(after);
}

/** Finds where a mark ends, 0 if it does not: on the same line, after a letter and before none. */
function closing(text, start, kept) {
  const mark = text[start];
  for (let place = start + 1; place < text.length && text[place] !== "\n"; place++) {
    const span = kept.get(place);
    if (span) {
      place = span.end - 1;
      continue;
    }
    const after = text[place + 1] ?? " ";
    const ends = text[place] === mark && place > start + 1 && !/\s/.test(text[place - 1]);
    if (ends && !WORD.test(after) && after !== mark) return place;
  }
  return 0;
}
