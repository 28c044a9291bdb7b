// Text as WhatsApp shows it: *bold*, _italic_, ~strike~, `code`, ```blocks```, lists, quotes and links.

import { follow, webAddress } from "./addresses.js";
import { element, present } from "./dom.js";

const MARKS = { "*": "strong", _: "em", "~": "s" };
// Marks in code and links do not count. A link ends before the punctuation of the sentence around it.
const UNMARKED = /`(?=[^`\n]*[^`\s])[^`\n]+`|(?<![\p{L}\p{N}])(?:https?:\/\/|www\.)[^\s<>"]*[^\s<>".,;:!?'*_~)\]}。，！？、：；）」』】]/giu;
const STANDS_FOR_IT = "\0";

const LINES = [
  [/^> ?(.*)$/s, (found) => element("blockquote", { dir: "auto" }, inline(found.map(([, text]) => text).join("\n")))],
  [/^[-*] (.*)$/s, (found) => element("ul", { dir: "auto" }, found.map(([, text]) => element("li", {}, inline(text))))],
  [/^(\d{1,3})\. (.*)$/s, (found) => element("ol", { dir: "auto" }, found.map(([, value, text]) => element("li", { value }, inline(text))))],
  [/^.*$/s, (found) => element("p", {}, inline(found.join("\n")))],
];

// More than WhatsApp's limit. A longer text is not formatted: the time grows faster than the length.
const LONGEST = 10_000;

/** Describes a formatted text; one over `LONGEST` characters is not formatted. */
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

/** Returns a text without its marks, in one line, for the list of conversations. */
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

/** Describes text with marks. A mark does not count again inside itself. */
function marked(text, marks, unmarked) {
  const shown = [];
  let from = 0;
  // No space directly inside a mark, no letter and no second mark directly outside, and both ends on one line.
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
