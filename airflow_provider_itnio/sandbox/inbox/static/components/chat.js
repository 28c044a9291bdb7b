// The middle pane: one conversation as the recipient's phone shows it.

import { avatar, button, draw, element, head, icon, keepOneInTabOrder, make, walk } from "../lib/dom.js";
import { day, moment } from "../lib/times.js";
import { bubble } from "./bubble.js";
import { makeComposer } from "./composer.js";
import { found } from "./files.js";
import { watchReadingPlace } from "./reading_place.js";

const A_PAGE = 100;

/**
 * Creates the view of the loaded part of a conversation: its last page, more on request, and new entries while the
 * end is visible.
 */
export function makeChat(inbox, actions) {
  const { answer } = actions;
  const root = make(element("div", { class: "view" }));
  const list = make(element("ol", { class: "bubbles" }));
  const scroll = make(element("div", { class: "scroll", role: "log", "aria-live": "off", "aria-label": "Messages", onkeydown: move }));
  const place = watchReadingPlace(scroll, list, readNews);
  const composer = answer && makeComposer(answer, inbox.keeps, redraw);
  let part;
  let marked; // the id of the entry that the address names
  let shown; // the one that was brought into sight
  let limit = A_PAGE;
  let goesOn = false;
  let isLoading = false;
  let went = "";
  let closing;
  for (const name of ["wheel", "touchmove"]) scroll.addEventListener(name, showNear, { passive: true });
  list.addEventListener("focusin", ({ target }) => keepInTabOrder(target.closest("article")));
  return { root, draw: drawChat, showEnd, tellWhereItWent, focus };

  /** Draws a part of a conversation; `selected` is the id of the entry to mark. */
  function drawChat(loaded, selected) {
    if (loaded !== part) begin(loaded);
    marked = selected;
    if (!marked) shown = undefined;
    place.stay(); // what is put back into a page begins at its top, and something may just have grown
    // If more is to be loaded, or was just loaded, the end of the drawn part is not the end of the chat.
    if (goesOn || part.after !== null) place.atEnd = false;
    goesOn = part.after !== null;
    if (!part.entries.length) place.atEnd = true;
    // While the user reads older entries, nothing is removed; at the end, only the last page is kept.
    if (place.atEnd) part.trim(limit);
    if (place.atEnd) part.unseen = 0;
    // Bubbles that the sandbox no longer stores are removed, except the one that is read.
    place.remember(part.entries[0]?.number);
    draw(list, bubbles());
    draw(scroll,
      part.before !== null && button({ class: "more", onclick: () => more("before") }, "Show earlier messages"),
      list,
      part.after !== null && button({ class: "further", onclick: () => more("after") }, "Show later messages"),
    );
    draw(root,
      top(),
      part.query && whatIsFound(),
      element("div", { class: "paper" }, scroll, newer()),
      composer?.form(part.of, went),
    );
    keepInTabOrder(list.querySelector('article[tabindex="0"]'));
    place.hold();
    if (marked && marked !== shown && part.find(marked)) show();
    else if (place.atEnd) place.toEnd();
  }

  function redraw() {
    drawChat(part, marked);
  }

  function begin(loaded) {
    if (loaded.of !== part?.of) went = "";
    [part, limit, goesOn, shown, place.atEnd] = [loaded, A_PAGE, false, undefined, true];
    draw(list); // another part keeps nothing of it, not even where Tab leads to
  }

  /** Shows the end, where the recipient's new reply is or will be. */
  async function showEnd() {
    if (part.after !== null) await actions.toEnd();
    else place.toEnd();
  }

  /** Shows the destination of the recipient's new reply. */
  function tellWhereItWent(words) {
    went = words;
    redraw();
  }

  /** Takes the focus. */
  function focus() {
    const takes = ['article[tabindex="0"]', "textarea", "button"].map((one) => root.querySelector(one)).find(Boolean);
    takes.focus({ preventScroll: true });
  }

  function top() {
    const { of, entries } = part;
    const { messages, failures } = inbox.counts(of);
    const from = new Set(entries.map(({ kind, data }) => kind === "message" && data.body.businessPhone).filter(Boolean));
    const parts = [
      messages === 1 ? "1 message" : `${messages} messages`,
      failures && (failures === 1 ? "1 failed request" : `${failures} failed requests`),
      from.size && `from ${[...from].map((one) => `+${one}`).join(", ")}`,
    ];
    const about = parts.filter(Boolean).join(" · ");
    return head(actions.back, avatar(of), element("h2", { dir: "ltr" }, `+${of}`), element("p", {}, about), answer && windowOf(of));
  }

  /** Shows whether an ordinary message arrives now, and updates this when it changes. */
  function windowOf(number) {
    const { isOpen, until } = inbox.window(number);
    clearTimeout(closing);
    if (!isOpen) return element("p", { class: "window closed" }, "24-hour window closed: only WhatsApp templates arrive");
    if (until) closing = setTimeout(redraw, until - new Date() + 100);
    return element("p", { class: "window" }, until ? `24-hour window open until ${moment(until)}` : "24-hour window open");
  }

  function whatIsFound() {
    const { messages, replies, failures, found: count } = inbox.counts(part.of);
    const text = `${count} of ${messages + replies + failures} found`;
    return element("p", { class: "found" }, element("span", {}, text), button({ onclick: actions.showAll }, "Show all"));
  }

  function newer() {
    return part.unseen > 0 && button({ class: "newer", onclick: showEnd }, icon("down"), element("span", {}, `${part.unseen} new`));
  }

  /** Returns the bubbles, with the date above the first one of each day. */
  function bubbles() {
    let before;
    return part.entries.map((entry) => {
      const name = day(entry.at);
      const begins = name !== before && name;
      before = name;
      const quoted = entry.answers && inbox.find(entry.answers);
      const isSelected = entry.id === marked;
      const quote = answer && entry.kind === "message" && (() => composer.quote(part.of, entry));
      return element("li", { key: entry.number, state: JSON.stringify([entry, begins, quoted, isSelected, found.times]) }, () => [
        begins && element("p", { class: "day" }, element("span", {}, begins)),
        bubble(entry, { quoted, isSelected, open: () => open(entry), answer, quote }),
      ]);
    });
  }

  function open(entry) {
    shown = entry.id; // it is in sight
    actions.open(entry);
  }

  /** Scrolls to the bubble in the page's address, once. */
  function show() {
    shown = marked;
    const article = articles().find((one) => one.dataset.id === marked);
    place.show(article);
    keepInTabOrder(article);
  }

  /** Loads a page and draws it; if the button for it disappears, the element next to it takes the focus. */
  async function more(side) {
    const [of, had] = [part, document.activeElement];
    const next = articles().at(side === "before" ? 0 : -1);
    if (side === "before") limit = part.entries.length + A_PAGE;
    await actions.more(part, side);
    if (part !== of) return;
    redraw();
    if (had.matches(".more, .further") && !had.isConnected) next?.focus({ preventScroll: true });
  }

  /** Loads the page that one is about to scroll to. */
  async function showNear() {
    const { scrollTop, scrollHeight, clientHeight } = scroll;
    const nearTop = scrollTop < clientHeight && part.before !== null;
    const nearEnd = scrollHeight - scrollTop < 2 * clientHeight && part.after !== null;
    if (isLoading || !(nearTop || nearEnd)) return;
    isLoading = true;
    await more(nearTop ? "before" : "after");
    isLoading = false;
  }

  /** Hides the count of new entries, since the end is visible. */
  function readNews() {
    if (!part?.unseen || part.after !== null) return;
    part.unseen = 0;
    const newer = root.querySelector(".newer");
    if (newer === document.activeElement) articles().at(-1)?.focus({ preventScroll: true });
    newer?.remove();
  }

  function articles() {
    return [...list.querySelectorAll("article")];
  }

  function keepInTabOrder(article) {
    keepOneInTabOrder(articles(), article ?? articles().at(-1));
  }

  async function move(event) {
    if (event.target.matches("audio, video")) return; // arrows are theirs
    if (event.key === "ArrowUp" && part.before !== null && articles()[0]?.contains(event.target)) await more("before");
    walk(event, articles());
  }
}
