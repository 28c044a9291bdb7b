// Files behind links: images, stickers, sound, videos and documents; one that cannot be loaded becomes a card.

import { fileName, follow, webAddress } from "../lib/addresses.js";
import { element, icon } from "../lib/dom.js";
import { formatted } from "../lib/formatting.js";
import { textAt } from "../lib/reading.js";

const KINDS = { image: "Image", sticker: "Sticker", audio: "Audio", video: "Video", document: "Document" };
const UNITS = ["B", "kB", "MB", "GB"];

/** What each kind of file is shown as. */
export const FILES = {
  image: (content) => [picture(content, "image"), caption(content)],
  sticker: (content) => [picture(content, "sticker")],
  audio: (content) => [player(content, "audio")],
  video: (content) => [player(content, "video"), caption(content)],
  document: (content) => [documentCard(content), caption(content)],
};

function caption(content) {
  const text = textAt(content, "caption");
  return text && element("div", { class: "words", dir: "auto" }, formatted(text));
}

function picture(content, kind) {
  const address = webAddress(textAt(content, "link"));
  if (!address) return missing(content, kind);
  const name = fileName(address.href);
  const shown = element("img", {
    class: kind,
    src: address.href,
    alt: textAt(content, "caption") || `${KINDS[kind]} ${name}`,
    loading: "lazy",
    decoding: "async",
    referrerpolicy: "no-referrer",
    onerror: () => replace(around, missing(content, kind)),
  });
  const around = follow(address.href, shown);
  around.classList.add("picture");
  around.setAttribute("aria-label", shown.alt);
  return around;
}

function player(content, kind) {
  const address = webAddress(textAt(content, "link"));
  if (!address) return missing(content, kind);
  return element(kind, {
    src: address.href,
    controls: true,
    preload: "metadata",
    "aria-label": `${KINDS[kind]} ${fileName(address.href)}`,
    onerror: (event) => replace(event.target, missing(content, kind)),
  });
}

function documentCard(content) {
  const link = textAt(content, "link");
  const name = textAt(content, "filename") || fileName(link);
  const ending = /\.([a-z0-9]{1,5})$/i.exec(name)?.[1] ?? /\.([a-z0-9]{1,5})$/i.exec(fileName(link))?.[1];
  const about = element("small", {}, ending ? ending.toUpperCase() : KINDS.document);
  const card = follow(
    link,
    icon("document"),
    element("span", { class: "about" }, element("bdi", { class: "name" }, name), about),
  );
  card.classList.add("file");
  if (!webAddress(link)) return missing(content, "document");
  whenSeen(card, async () => {
    const found = await lookUp(link);
    if (found.missing) replace(card, missing(content, "document"));
    else if (found.bytes) about.append(` · ${size(found.bytes)}`);
  });
  return card;
}

/** Stands for a file that cannot be loaded: its kind, its name and the link. */
function missing(content, kind) {
  const link = textAt(content, "link");
  const name = textAt(content, "filename") || fileName(link);
  const label = name ? `${KINDS[kind]} “${name}” could not be loaded` : `${KINDS[kind]} without a link`;
  return element("div", { class: "file missing", role: "img", "aria-label": label, title: link },
    icon(kind),
    element("span", { class: "about" },
      element("bdi", { class: "name" }, name || KINDS[kind]),
      element("small", {}, name ? `${KINDS[kind]} could not be loaded` : "There is no link"),
    ),
  );
}

/** Puts a placeholder where a file was; the keyboard, if it was there, goes to the message. */
function replace(file, placeholder) {
  const message = file.contains(document.activeElement) ? file.closest("article") : undefined;
  file.replaceWith(placeholder);
  message?.focus({ preventScroll: true });
}

const lookUps = new Map();

/** Asks once where a document lies whether it is there and, if its server lets pages know, how large it is. */
function lookUp(link) {
  if (!lookUps.has(link)) lookUps.set(link, ask(link));
  return lookUps.get(link);
}

async function ask(link) {
  const options = { method: "HEAD", credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store" };
  try {
    const answer = await fetch(link, options);
    // The length of a refusal is not that of the file: a link may be signed for GET alone.
    const bytes = answer.ok ? Number(answer.headers.get("Content-Length")) : 0;
    return { missing: [404, 410].includes(answer.status), bytes };
  } catch {
    // Most servers let no page read an answer; that there is one can be seen all the same.
    return fetch(link, { ...options, mode: "no-cors" }).then(() => ({}), () => ({ missing: true }));
  }
}

function size(bytes) {
  let unit = 0;
  let amount = bytes;
  while (amount >= 1000 && unit < UNITS.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return `${amount >= 10 || unit === 0 ? Math.round(amount) : amount.toFixed(1)} ${UNITS[unit]}`;
}

const waiting = new WeakMap();
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    seen.unobserve(entry.target);
    waiting.get(entry.target)?.();
  }
});

function whenSeen(node, then) {
  waiting.set(node, then);
  seen.observe(node);
}
