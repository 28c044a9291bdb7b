// Text as WhatsApp shows it: *bold*, _italic_, ~strike~, `code`, ```blocks```, lists, quotes and links.

import { follow, webAddress } from "./addresses.js";
import { element, present } from "./dom.js";

const MARKS = { "*": "strong", _: "em", "~": "s" };
// Inside code and links no mark counts. A link ends before the marks of the sentence around it.
const UNMARKED = /`(?=[^`\n]*[^`\s])[^`\n]+`|(?<![\p{L}\p{N}])(?:https?:\/\/|www\.)[^\s<>"]*[^\s<>".,;:!?'*_~)\]}。，！？、：；）」』】]/giu;
const STANDS_FOR_IT = "\0";

const LINES = [
  [/^> ?(.*)$/s, (found) => element("blockquote", { dir: "auto" }, inline(found.map(([, text]) => text).join("\n")))],
  [/^[-*] (.*)$/s, (found) => element("ul", { dir: "auto" }, found.map(([, text]) => element("li", {}, inline(text))))],
  [/^(\d{1,3})\. (.*)$/s, (found) => element("ol", { dir: "auto" }, found.map(([, value, text]) => element("li", { value }, inline(text))))],
  [/^.*$/s, (found) => element("p", {}, inline(found.join("\n")))],
];

// Beyond what WhatsApp takes; the time that marks take grows faster than the text.
const LONGEST = 10_000;

/** Describes a text; one that no phone would show, as it is. */
export function formatted(text) {
  if (text.length > LONGEST) return [element("p", {}, text)];
  const shown = [];
  let from = 0;
  for (const { 0: block, 1: inside, index } of text.matchAll(/```([^]+?)```/g)) {
    shown.push(...lines(text.slice(from, index).replace(/\n$/, "")), element("pre", {}, inside.replace(/^\n|\n$/g, "")));
    from = index + block.length;
  }
  return [...shown, ...lines(from ? text.slice(from).replace(/^\n/, "") : text)];
}

/** Gives a text without its marks, in one line, for a list of conversations. */
export const withoutMarks = (text) => formatted(text.slice(0, 300)).map(textOf).join(" ").replace(/\s+/g, " ").trim();

const textOf = (one) => one.children ? present(one.children).map(textOf).join(["ul", "ol"].includes(one.name) ? " " : "") : one;

function lines(text) {
  const groups = [];
  for (const line of text ? text.split("\n") : []) {
    const [pattern, describe] = LINES.find(([one]) => one.test(line));
    if (groups.at(-1)?.describe !== describe) groups.push({ describe, found: [] });
    groups.at(-1).found.push(line.match(pattern));
  }
  return groups.map(({ describe, found }) => describe(found));
}

function inline(text) {
  const unmarked = [];
  const rest = text.replaceAll(STANDS_FOR_IT, "\ufffd").replace(UNMARKED, (found) => {
    unmarked.push(found);
    return STANDS_FOR_IT;
  });
  return marked(rest, Object.keys(MARKS), unmarked.values());
}

/** Describes text with marks, none of which is opened again inside itself. */
function marked(text, marks, unmarked) {
  const shown = [];
  let from = 0;
  // A mark opens before what is no blank, and closes on its line; outside of it there is no letter and no such mark.
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])([${marks.join("")}])(?<!\\1\\1)(?!\\s|\\1)(.+?)(?<!\\s)\\1(?![\\p{L}\\p{N}]|\\1)`, "gu");
  for (const { 0: all, 1: mark, 2: inside, index } of marks.length ? text.matchAll(pattern) : []) {
    shown.push(plain(text.slice(from, index), unmarked));
    shown.push(element(MARKS[mark], {}, marked(inside, marks.filter((one) => one !== mark), unmarked)));
    from = index + all.length;
  }
  return [...shown, plain(text.slice(from), unmarked)];
}

const plain = (text, unmarked) => text.split(STANDS_FOR_IT).map((part, index) => [index > 0 && codeOrLink(unmarked.next().value), part]);

function codeOrLink(text) {
  if (text.startsWith("`")) return element("code", {}, text.slice(1, -1));
  const address = /^www\./i.test(text) ? `http://${text}` : text;
  return webAddress(address) ? follow(address, {}, text) : text;
}
