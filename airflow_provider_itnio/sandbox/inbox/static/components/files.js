// Files behind links: images, stickers, sound, videos and documents; one that cannot be loaded becomes a card.

import { fileName, follow, webAddress } from "../lib/addresses.js";
import { about, element, icon } from "../lib/dom.js";
import { formatted } from "../lib/formatting.js";
import { textAt } from "../lib/reading.js";

const KINDS = { image: "Image", sticker: "Sticker", audio: "Audio", video: "Video", document: "Document" };
const UNITS = ["B", "kB", "MB", "GB"];
const ENDING = /\.([a-z0-9]{1,5})$/i;

// What is known of each file: `isMissing`, or its size in `bytes`.
const known = new WeakMap();
export const found = { times: 0 };

/** How each kind of file is shown. */
export const FILES = {
  image: (content) => [picture(content, "image"), caption(content)],
  sticker: (content) => picture(content, "sticker"),
  audio: (content) => player(content, "audio"),
  video: (content) => [player(content, "video"), caption(content)],
  document: (content) => [documentCard(content), caption(content)],
};

function caption(content) {
  const text = textAt(content, "caption");
  return text && element("div", { class: "words", dir: "auto" }, formatted(text));
}

function picture(content, kind) {
  const link = loadable(content);
  if (!link) return missing(content, kind);
  const alt = textAt(content, "caption") || `${KINDS[kind]} ${fileName(link)}`;
  const [loading, decoding, referrerpolicy] = ["lazy", "async", "no-referrer"];
  return follow(link, { class: "picture", "aria-label": alt },
    element("img", { class: kind, loading, decoding, referrerpolicy, alt, src: link, onerror: () => remember(content, { isMissing: true }) }),
  );
}

function player(content, kind) {
  const link = loadable(content);
  if (!link) return missing(content, kind);
  const label = `${KINDS[kind]} ${fileName(link)}`;
  return element(kind, { src: link, controls: true, preload: "metadata", "aria-label": label, onerror: () => remember(content, { isMissing: true }) });
}

function documentCard(content) {
  const link = loadable(content);
  if (!link) return missing(content, "document");
  const name = textAt(content, "filename") || fileName(link);
  const ending = (ENDING.exec(name) ?? ENDING.exec(fileName(link)))?.[1].toUpperCase() ?? KINDS.document;
  const { bytes } = known.get(content) ?? {};
  return follow(link, { class: "file", made: (card) => whenSeen(card, async () => remember(content, await lookUp(link))) },
    icon("document"),
    about(name, element("small", {}, bytes ? `${ending} · ${size(bytes)}` : ending)),
  );
}

/** Replaces a file that cannot be loaded by its kind, its name and the link. */
function missing(content, kind) {
  const link = textAt(content, "link");
  const name = textAt(content, "filename") || fileName(link);
  const label = name ? `${KINDS[kind]} “${name}” could not be loaded` : `${KINDS[kind]} without a link`;
  return element("div", { class: "file missing", role: "img", "aria-label": label, title: link },
    icon(kind),
    about(name || KINDS[kind], element("small", {}, name ? `${KINDS[kind]} could not be loaded` : "There is no link")),
  );
}

const loadable = (content) => known.get(content)?.isMissing ? undefined : webAddress(textAt(content, "link"))?.href;

/** Stores what is known of a file, and redraws the page. */
function remember(content, it) {
  known.set(content, it);
  found.times += 1;
  dispatchEvent(new Event("found"));
}

function whenSeen(node, then) {
  new IntersectionObserver(([{ isIntersecting }], observer) => {
    if (!isIntersecting) return;
    observer.disconnect();
    then();
  }).observe(node);
}

/** Checks whether a document exists and, if its server allows it, how large it is. */
async function lookUp(link) {
  const options = { method: "HEAD", credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store" };
  try {
    const answer = await fetch(link, options);
    // The size of an error page is not the file's: a link may be signed for GET only.
    return { isMissing: [404, 410].includes(answer.status), bytes: answer.ok && Number(answer.headers.get("Content-Length")) };
  } catch {
    // Most servers do not let pages read an answer, but the page can see that there is one.
    return fetch(link, { ...options, mode: "no-cors" }).then(() => ({}), () => ({ isMissing: true }));
  }
}

function size(bytes) {
  const unit = Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
  const amount = bytes / 1000 ** unit;
  return `${amount.toFixed(unit && amount < 10 ? 1 : 0)} ${UNITS[unit]}`;
}
