// The middle pane: one conversation as the recipient's phone shows it.

import { arrange, backButton, button, element, icon, oneAtATime } from "../lib/dom.js";
import { day, moment } from "../lib/times.js";
import { bubble, quoteOf } from "./bubble.js";
import { Composer } from "./composer.js";
import { ReadingPlace } from "./reading_place.js";
import { showStatus } from "./ticks.js";

const A_PAGE = 100;
const REACHED_BY_TAB = "a[href], button, audio, video";

/** Draws what is loaded of a conversation: its last page, more when asked for, and the newest while the end is in sight. */
export class Chat {
  #inbox;
  #actions;
  #part;
  #limit = A_PAGE;
  #unseen = 0;
  #goesOn = false;
  #shown = "";
  #entries = new WeakMap();
  #redraw = () => undefined;

  #avatar = element("span", { class: "avatar", "aria-hidden": "true" });
  #name = element("h2", { dir: "ltr" });
  #about = element("p", {});
  #window = element("p", {});
  #closing;
  #howMany = element("span", {});
  #found;
  #earlier = button({ class: "more", onclick: () => this.#showEarlier() }, "Show earlier messages");
  #later = button({ class: "further", onclick: () => this.#showLater() }, "Show later messages");
  #list = element("ol", { class: "bubbles" });
  #scroll = element("div", { class: "scroll", role: "log", "aria-live": "off", "aria-label": "Messages" }, this.#earlier, this.#list, this.#later);
  #newer = button({ class: "newer", hidden: true, onclick: () => this.showEnd() }, icon("down"), element("span", {}));
  #place = new ReadingPlace(this.#scroll, this.#list, () => this.#part?.after === null && this.#tellNews(0));
  #composer;
  #composers = new Map(); // by number, each with what was begun in it
  #frame;

  constructor(inbox, actions) {
    this.#inbox = inbox;
    this.#actions = actions;
    this.#found = element("p", { class: "found", hidden: true }, this.#howMany, button({ onclick: actions.showAll }, "Show all"));
    this.#frame = [
      element("header", { class: "bar" },
        backButton(actions.back),
        this.#avatar,
        element("div", { class: "who" }, this.#name, this.#about, actions.answer && this.#window),
      ),
      this.#found,
      element("div", { class: "paper" }, this.#scroll, this.#newer),
    ];
    this.#scroll.addEventListener("keydown", (event) => this.#move(event));
    const showNear = oneAtATime(() => this.#showNear());
    for (const name of ["wheel", "touchmove"]) this.#scroll.addEventListener(name, showNear, { passive: true });
    this.#list.addEventListener("focusin", (event) => this.#holdFocus(event.target.closest("article")));
    new MutationObserver(() => this.#keepOneInTabOrder()).observe(this.#list, { childList: true, subtree: true });
  }

  /** Draws a part of a conversation; `selected` is the id of the entry to mark. */
  draw(pane, part, selected) {
    this.#redraw = () => this.draw(pane, part, selected);
    if (part !== this.#part) this.#begin(part);
    arrange(pane, this.#actions.answer ? [...this.#frame, this.#composer.form] : this.#frame);
    this.#place.stay(); // what is put back into a page begins at its top, and something may just have grown
    this.#drawBubbles(selected);
    this.#drawHead();
    for (const entry of part.entries) this.#markChosen(entry);
    for (const quote of this.#list.querySelectorAll(".quoted")) this.#renew(quote);
    this.#composer.refresh();
  }

  /** Shows the end, where what the recipient has just answered is or will be. */
  async showEnd() {
    if (this.#part.after !== null) await this.#actions.toEnd();
    else this.#place.toEnd();
  }

  /** Says where the reply went that the recipient has just given. */
  tellWhereItWent(words) {
    this.#composer.tellWhereItWent(words);
  }

  /** Takes the keyboard. */
  focus() {
    (this.#list.querySelector('article[tabindex="0"]') ?? this.#frame[0].querySelector("button")).focus({ preventScroll: true });
  }

  #begin(part) {
    if (part.of !== this.#part?.of) this.#chooseComposer(part.of);
    this.#part = part;
    this.#limit = A_PAGE;
    this.#unseen = 0;
    this.#goesOn = false;
    this.#shown = "";
    this.#place.atEnd = true;
    this.#entries = new WeakMap();
    this.#list.replaceChildren();
  }

  /** Takes the field of a recipient, with what was begun in it. */
  #chooseComposer(number) {
    const { answer } = this.#actions;
    this.#composer = this.#composers.get(number) ?? new Composer(number, answer, (message) => this.#inbox.keeps(message));
    this.#composers.set(number, this.#composer);
    this.#composer.tellWhereItWent("");
  }

  #drawHead() {
    const { of, entries, query } = this.#part;
    const chat = this.#inbox.list.chat;
    const { messages, replies, failures, found } = chat?.number === of ? chat : { messages: 0, replies: 0, failures: 0, found: 0 };
    const from = new Set(entries.map(({ kind, data }) => kind === "message" && data.body.businessPhone).filter(Boolean));
    this.#avatar.className = `avatar hue-${Number(of.slice(-3)) % 6}`;
    this.#avatar.textContent = of.slice(-2);
    this.#name.textContent = `+${of}`;
    const count = messages === 1 ? "1 message" : `${messages} messages`;
    const failed = failures && (failures === 1 ? "1 failed request" : `${failures} failed requests`);
    this.#about.textContent = [count, failed, from.size && `from ${[...from].map((one) => `+${one}`).join(", ")}`].filter(Boolean).join(" · ");
    this.#drawWindow();
    this.#found.hidden = !query;
    this.#howMany.textContent = `${found} of ${messages + replies + failures} found`;
  }

  /** Says whether an ordinary message arrives now, and says so anew once that changes. */
  #drawWindow() {
    const { isOpen, until } = this.#inbox.window;
    this.#window.className = isOpen ? "window" : "window closed";
    if (!isOpen) this.#window.textContent = "24-hour window closed: only WhatsApp templates arrive";
    else this.#window.textContent = until ? `24-hour window open until ${moment(until)}` : "24-hour window open";
    clearTimeout(this.#closing);
    if (isOpen && until) this.#closing = setTimeout(() => this.#drawWindow(), until - new Date() + 100);
  }

  #drawBubbles(selected) {
    const part = this.#part;
    // Where more is still to be loaded, the end of what is drawn is not the end; nor is it when that has just come.
    if (this.#goesOn || part.after !== null) this.#place.atEnd = false;
    this.#goesOn = part.after !== null;
    if (!part.entries.length) this.#place.atEnd = true;
    // Read up there, nothing may be taken away; at the end, only the last page is kept.
    if (this.#place.atEnd) part.trim(this.#limit);
    const shown = part.entries;
    if (!selected) this.#shown = "";
    const wanted = selected && selected !== this.#shown && part.find(selected);
    // Older bubbles go when the sandbox keeps no more of them; what is read is one that stays.
    this.#place.remember(shown[0]?.number);
    arrange(this.#list, this.#items(shown));
    this.#earlier.hidden = part.before === null;
    this.#later.hidden = part.after === null;
    this.#place.hold();
    this.#keepOneInTabOrder();
    this.#mark(selected);
    if (wanted) this.#show(selected);
    else if (this.#place.atEnd) this.#place.toEnd();
    if (!this.#place.atEnd) this.#tellNews(this.#unseen + part.came);
    part.came = 0;
  }

  /** Gives the bubbles, the first of each day under its name. */
  #items(shown) {
    let before;
    return shown.map((entry) => {
      const drawn = this.#entries.get(entry);
      const notes = String(entry.data.notes?.length);
      const item = drawn?.dataset.notes === notes ? drawn : this.#item(entry);
      item.dataset.notes = notes;
      this.#entries.set(entry, item);
      if (entry.kind === "message") showStatus(item.lastElementChild, entry);
      const name = day(entry.at);
      item.firstElementChild.hidden = name === before;
      item.firstElementChild.firstElementChild.textContent = name;
      before = name;
      return item;
    });
  }

  #mark(selected) {
    for (const article of this.#articles()) {
      if (article.dataset.id === selected) article.setAttribute("aria-current", "true");
      else article.removeAttribute("aria-current");
    }
  }

  /** Brings the bubble that an address names into sight, once. */
  #show(id) {
    this.#shown = id;
    const article = this.#articles().find((one) => one.dataset.id === id);
    this.#place.show(article);
    this.#holdFocus(article);
  }

  /** Lets a quote show the message once it is loaded, and say so when it is in the inbox no more. */
  #renew(quote) {
    const known = this.#inbox.find(quote.dataset.id);
    if (Boolean(known) === quote.classList.contains("nowhere")) quote.replaceWith(quoteOf(quote.dataset.id, () => known));
  }

  /** Marks what was pressed of a message; like on a phone, none of its buttons can be pressed again. */
  #markChosen(entry) {
    if (entry.chosen === undefined) return;
    for (const one of this.#entries.get(entry).querySelectorAll(".choice[data-choice]")) {
      one.setAttribute("aria-disabled", "true"); // not disabled, which would take the keyboard away
      const isChosen = one.dataset.choice === entry.chosen;
      one.classList.toggle("chosen", isChosen);
      if (isChosen) one.setAttribute("aria-description", "Chosen by the recipient");
      else one.removeAttribute("aria-description");
    }
  }

  #item(entry) {
    const quotable = this.#actions.answer && entry.kind === "message";
    const open = () => {
      this.#shown = entry.id; // it is in sight
      this.#actions.open(entry);
    };
    const made = bubble(entry, {
      find: (id) => this.#inbox.find(id),
      open,
      answer: this.#actions.answer,
      quote: quotable ? (quoted) => this.#composer.quote(quoted) : undefined,
    });
    made.addEventListener("keydown", (event) => {
      if (event.target.matches("audio, video") || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Enter" && event.target === made) {
        event.preventDefault(); // else the same press closes what it opens
        open();
      }
      if (event.key === "r" && quotable) {
        event.preventDefault();
        this.#composer.quote(entry);
      }
    });
    return element("li", {}, element("p", { class: "day" }, element("span")), made);
  }

  async #showEarlier() {
    const [part, oldest, hadFocus] = [this.#part, this.#articles()[0], this.#earlier === document.activeElement];
    this.#limit = part.entries.length + A_PAGE;
    await this.#actions.more(part, "earlier");
    if (part !== this.#part) return;
    this.#redraw();
    if (hadFocus && this.#earlier.hidden) oldest?.focus({ preventScroll: true });
  }

  async #showLater() {
    const hadFocus = this.#later === document.activeElement;
    const newest = this.#articles().at(-1);
    await this.#actions.more(this.#part, "later");
    this.#redraw();
    if (hadFocus && this.#later.hidden) newest?.focus({ preventScroll: true });
  }

  /** Loads the page that one is about to scroll to. */
  async #showNear() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    if (scrollTop < clientHeight && this.#part.before !== null) await this.#showEarlier();
    else if (scrollHeight - scrollTop < 2 * clientHeight && this.#part.after !== null) await this.#showLater();
  }

  #tellNews(count) {
    this.#unseen = count;
    if (!count && this.#newer === document.activeElement) this.#articles().at(-1)?.focus({ preventScroll: true });
    this.#newer.hidden = !count;
    this.#newer.lastElementChild.textContent = `${count} new`;
  }

  #articles() {
    return [...this.#list.querySelectorAll("article")];
  }

  #keepOneInTabOrder() {
    this.#holdFocus(this.#list.querySelector('article[tabindex="0"]') ?? this.#articles().at(-1));
  }

  /** Makes one bubble, with all that can be pressed in it, the one that Tab reaches. */
  #holdFocus(article) {
    for (const one of this.#articles()) tabIndex(one, one === article ? 0 : -1);
  }

  async #move(event) {
    const articles = this.#articles();
    if (event.target.matches("audio, video")) return; // arrows are theirs
    const at = articles.indexOf(event.target.closest("article"));
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: articles.length - 1 }[event.key];
    if (next === -1 && at === 0 && this.#part.before !== null) {
      await this.#showEarlier();
      this.#articles().at(this.#articles().indexOf(articles[0]) - 1).focus();
    }
    if (next === undefined || at < 0 || !articles[next]) return;
    event.preventDefault();
    articles[next].focus();
  }
}

function tabIndex(article, index) {
  for (const one of [article, ...article.querySelectorAll(REACHED_BY_TAB)]) if (one.tabIndex !== index) one.tabIndex = index;
}
