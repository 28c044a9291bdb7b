// The middle pane: one conversation as the recipient's phone shows it.

import { button, draw, element, icon, keepOneInTabOrder, make, tool, walk } from "../lib/dom.js";
import { day, moment } from "../lib/times.js";
import { bubble } from "./bubble.js";
import { Composer } from "./composer.js";
import { found } from "./files.js";
import { ReadingPlace } from "./reading_place.js";

const A_PAGE = 100;

/** Draws what is loaded of a conversation: its last page, more when asked for, and the newest while the end is in sight. */
export class Chat {
  root = make(element("div", { class: "view" }));
  #inbox;
  #actions;
  #composer;
  #part;
  #selected;
  #shown = "";
  #limit = A_PAGE;
  #goesOn = false;
  #went = "";
  #closing;
  #loading = false;
  #list = make(element("ol", { class: "bubbles" }));
  #scroll = make(element("div", { class: "scroll", role: "log", "aria-live": "off", "aria-label": "Messages", onkeydown: (event) => this.#move(event) }));
  #place = new ReadingPlace(this.#scroll, this.#list, () => this.#readNews());

  constructor(inbox, actions) {
    this.#inbox = inbox;
    this.#actions = actions;
    this.#composer = actions.answer && new Composer(actions.answer, (message) => inbox.keeps(message), () => this.#redraw());
    for (const name of ["wheel", "touchmove"]) this.#scroll.addEventListener(name, () => this.#showNear(), { passive: true });
    this.#list.addEventListener("focusin", ({ target }) => this.#keepInTabOrder(target.closest("article")));
  }

  /** Draws a part of a conversation; `selected` is the id of the entry to mark. */
  draw(part, selected) {
    if (part !== this.#part) this.#begin(part);
    this.#selected = selected;
    const place = this.#place;
    place.stay(); // what is put back into a page begins at its top, and something may just have grown
    // Where more is still to be loaded, the end of what is drawn is not the end; nor is it when that has just come.
    if (this.#goesOn || part.after !== null) place.atEnd = false;
    this.#goesOn = part.after !== null;
    if (!part.entries.length) place.atEnd = true;
    // Read up there, nothing may be taken away; at the end, only the last page is kept.
    if (place.atEnd) part.trim(this.#limit);
    if (place.atEnd) part.unseen = 0;
    // Older bubbles go when the sandbox keeps no more of them; what is read is one that stays.
    place.remember(part.entries[0]?.number);
    draw(this.#list, this.#bubbles());
    draw(this.#scroll,
      part.before !== null && button({ class: "more", onclick: () => this.#more("earlier") }, "Show earlier messages"),
      this.#list,
      part.after !== null && button({ class: "further", onclick: () => this.#more("later") }, "Show later messages"),
    );
    draw(this.root, this.#head(), part.query && this.#found(), element("div", { class: "paper" }, this.#scroll, this.#newer()), this.#composer?.form(part.of, this.#went));
    this.#keepInTabOrder(this.#list.querySelector('article[tabindex="0"]'));
    place.hold();
    if (selected && selected !== this.#shown && part.find(selected)) this.#show(selected);
    else if (place.atEnd) place.toEnd();
    if (!selected) this.#shown = "";
  }

  /** Shows the end, where what the recipient has just answered is or will be. */
  async showEnd() {
    if (this.#part.after !== null) await this.#actions.toEnd();
    else this.#place.toEnd();
  }

  /** Says where the reply went that the recipient has just given. */
  tellWhereItWent(words) {
    this.#went = words;
    this.#redraw();
  }

  /** Takes the keyboard. */
  focus() {
    const found = ['article[tabindex="0"]', "textarea", "button"].map((one) => this.root.querySelector(one)).find(Boolean);
    found.focus({ preventScroll: true });
  }

  #redraw() {
    this.draw(this.#part, this.#selected);
  }

  #begin(part) {
    if (part.of !== this.#part?.of) this.#went = "";
    this.#part = part;
    this.#limit = A_PAGE;
    this.#goesOn = false;
    this.#shown = "";
    this.#place.atEnd = true;
    draw(this.#list); // another part keeps nothing of it, not even where Tab leads to
  }

  #head() {
    const { of, entries } = this.#part;
    const { messages, failures } = this.#counts;
    const from = new Set(entries.map(({ kind, data }) => kind === "message" && data.body.businessPhone).filter(Boolean));
    const about = [
      messages === 1 ? "1 message" : `${messages} messages`,
      failures && (failures === 1 ? "1 failed request" : `${failures} failed requests`),
      from.size && `from ${[...from].map((one) => `+${one}`).join(", ")}`,
    ];
    return element("header", { class: "bar" },
      tool("back", "Back to the conversations", this.#actions.back, "tool back"),
      element("span", { class: `avatar hue-${Number(of.slice(-3)) % 6}`, "aria-hidden": "true" }, of.slice(-2)),
      element("div", { class: "who" },
        element("h2", { dir: "ltr" }, `+${of}`),
        element("p", {}, about.filter(Boolean).join(" · ")),
        this.#actions.answer && this.#window(),
      ),
    );
  }

  /** Says whether an ordinary message arrives now, and says so anew once that changes. */
  #window() {
    const { isOpen, until } = this.#inbox.window;
    clearTimeout(this.#closing);
    if (!isOpen) return element("p", { class: "window closed" }, "24-hour window closed: only WhatsApp templates arrive");
    if (until) this.#closing = setTimeout(() => this.#redraw(), until - new Date() + 100);
    return element("p", { class: "window" }, until ? `24-hour window open until ${moment(until)}` : "24-hour window open");
  }

  #found() {
    const { messages, replies, failures, found } = this.#counts;
    return element("p", { class: "found" }, element("span", {}, `${found} of ${messages + replies + failures} found`), button({ onclick: this.#actions.showAll }, "Show all"));
  }

  get #counts() {
    const { chat } = this.#inbox.list;
    return chat?.number === this.#part.of ? chat : { messages: 0, replies: 0, failures: 0, found: 0 };
  }

  #newer() {
    const { unseen } = this.#part;
    return unseen > 0 && button({ class: "newer", onclick: () => this.showEnd() }, icon("down"), element("span", {}, `${unseen} new`));
  }

  /** Gives the bubbles, the first of each day under its name. */
  #bubbles() {
    const { answer } = this.#actions;
    let before;
    return this.#part.entries.map((entry) => {
      const name = day(entry.at);
      const begins = name !== before && name;
      before = name;
      const quoted = entry.answers && this.#inbox.find(entry.answers);
      const isSelected = entry.id === this.#selected;
      const quote = answer && entry.kind === "message" ? this.#quote : undefined;
      return element("li", { key: entry.number, state: JSON.stringify([entry, begins, quoted, isSelected, found.times]) }, () => [
        begins && element("p", { class: "day" }, element("span", {}, begins)),
        bubble(entry, { quoted, isSelected, open: this.#open, answer, quote }),
      ]);
    });
  }

  #open = (entry) => {
    this.#shown = entry.id; // it is in sight
    this.#actions.open(entry);
  };

  #quote = (entry) => this.#composer.quote(this.#part.of, entry);

  /** Brings the bubble that an address names into sight, once. */
  #show(id) {
    this.#shown = id;
    const article = this.#articles().find((one) => one.dataset.id === id);
    this.#place.show(article);
    this.#keepInTabOrder(article);
  }

  /** Loads a page and draws it; where the button to do so goes, what stood next to it takes the keyboard. */
  async #more(side) {
    const [part, isEarlier, had] = [this.#part, side === "earlier", document.activeElement];
    const next = this.#articles().at(isEarlier ? 0 : -1);
    if (isEarlier) this.#limit = part.entries.length + A_PAGE;
    await this.#actions.more(part, side);
    if (part !== this.#part) return;
    this.#redraw();
    if (had.matches(".more, .further") && !had.isConnected) next?.focus({ preventScroll: true });
  }

  /** Loads the page that one is about to scroll to. */
  async #showNear() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    const isNear = { earlier: scrollTop < clientHeight && this.#part.before !== null, later: scrollHeight - scrollTop < 2 * clientHeight && this.#part.after !== null };
    const side = Object.keys(isNear).find((one) => isNear[one]);
    if (!side || this.#loading) return;
    this.#loading = true;
    await this.#more(side);
    this.#loading = false;
  }

  /** Tells no more of what came, as the end is in sight. */
  #readNews() {
    if (!this.#part?.unseen || this.#part.after !== null) return;
    this.#part.unseen = 0;
    const newer = this.root.querySelector(".newer");
    if (newer === document.activeElement) this.#articles().at(-1)?.focus({ preventScroll: true });
    newer?.remove();
  }

  #articles() {
    return [...this.#list.querySelectorAll("article")];
  }

  #keepInTabOrder(article) {
    const articles = this.#articles();
    keepOneInTabOrder(articles, article ?? articles.at(-1));
  }

  async #move(event) {
    if (event.target.matches("audio, video")) return; // arrows are theirs
    const [first] = this.#articles();
    if (event.key === "ArrowUp" && first?.contains(event.target) && this.#part.before !== null) await this.#more("earlier");
    walk(event, this.#articles());
  }
}
