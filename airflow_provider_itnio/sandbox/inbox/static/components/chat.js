// The middle pane: one conversation as the recipient's phone shows it.

import { arrange, button, element, icon } from "../lib/dom.js";
import { day, moment } from "../lib/times.js";
import { bubble, quoteOf } from "./bubble.js";
import { Composer } from "./composer.js";
import { ReadingPlace } from "./reading_place.js";
import { showStatus } from "./ticks.js";

const A_PAGE = 100;
const REACHED_BY_TAB = "a[href], button, audio, video";

/** Draws a conversation: its last page, more when asked for, and always the newest while the end is in sight. */
export class Chat {
  #inbox;
  #actions;
  #number;
  #query = "";
  #limit = A_PAGE;
  #first = 0;
  #unseen = 0;
  #last = 0;
  #shown = "";
  #all = [];
  #entries = new Map();
  #redraw = () => undefined;

  #avatar = element("span", { class: "avatar", "aria-hidden": "true" });
  #name = element("h2", { dir: "ltr" });
  #about = element("p", {});
  #window = element("p", {});
  #closing;
  #howMany = element("span", {});
  #found;
  #earlier = button({ class: "more", onclick: () => this.#showEarlier() }, "Show earlier messages");
  #list = element("ol", { class: "bubbles" });
  #scroll = element("div", { class: "scroll", role: "log", "aria-live": "off", "aria-label": "Messages" }, this.#earlier, this.#list);
  #newer = button({ class: "newer", hidden: true, onclick: () => this.showEnd() }, icon("down"), element("span", {}));
  #place = new ReadingPlace(this.#scroll, this.#list, () => this.#tellNews(0));
  #composer;
  #frame;

  constructor(inbox, actions) {
    this.#inbox = inbox;
    this.#actions = actions;
    this.#found = element("p", { class: "found", hidden: true }, this.#howMany, button({ onclick: actions.showAll }, "Show all"));
    this.#composer = new Composer(actions.answer, (message) => inbox.byId.has(message.id));
    this.#frame = [
      element(
        "header",
        { class: "bar" },
        button({ class: "tool back", "aria-label": "Back to the conversations", title: "Back", onclick: actions.back }, icon("back")),
        this.#avatar,
        element("div", { class: "who" }, this.#name, this.#about, actions.answer && this.#window),
      ),
      this.#found,
      element("div", { class: "paper" }, this.#scroll, this.#newer),
      actions.answer && this.#composer.form,
    ].filter(Boolean);
    this.#scroll.addEventListener("keydown", (event) => this.#move(event));
    this.#list.addEventListener("focusin", (event) => this.#holdFocus(event.target.closest("article")));
    new MutationObserver(() => this.#keepOneInTabOrder()).observe(this.#list, { childList: true, subtree: true });
  }

  /** Draws the conversation with a number, or what a search left of it; `selected` is the id of the one to mark. */
  draw(pane, number, { query, finds, selected }) {
    this.#redraw = () => this.draw(pane, number, { query, finds, selected });
    const conversation = this.#inbox.conversations.get(number);
    if (number !== this.#number || query !== this.#query) this.#begin(number, query);
    arrange(pane, this.#frame);
    this.#place.stay(); // what is put back into a page begins at its top, and something may just have grown
    const all = conversation?.entries ?? [];
    const entries = finds ? all.filter(finds) : all;
    this.#drawHead(all, entries, finds);
    this.#drawBubbles(entries, selected);
    for (const { kind, data } of all) if (kind === "reply" && data.choice !== null) this.#markChosen(data);
    for (const quote of this.#list.querySelectorAll(".quoted:not(.nowhere)")) this.#forgetQuoted(quote);
    this.#composer.refresh();
  }

  /** Shows the end, where what the recipient has just answered is or will be. */
  showEnd() {
    this.#place.toEnd();
  }

  /** Says where the reply went that the recipient has just given. */
  tellWhereItWent(words) {
    this.#composer.tellWhereItWent(words);
  }

  /** Takes the keyboard. */
  focus() {
    (this.#list.querySelector('article[tabindex="0"]') ?? this.#frame[0].querySelector("button")).focus({ preventScroll: true });
  }

  /** Forgets what is drawn, though not what is being written. */
  forget() {
    this.#number = undefined;
    this.#composer.refresh();
  }

  #begin(number, query) {
    if (number !== this.#number) this.#composer.begin(number);
    this.#number = number;
    this.#query = query;
    this.#limit = A_PAGE;
    this.#first = this.#last = this.#unseen = 0;
    this.#shown = "";
    this.#place.atEnd = true;
    this.#entries.clear();
    this.#list.replaceChildren();
  }

  #drawHead(all, entries, finds) {
    const messages = all.filter((entry) => entry.kind === "message");
    const failures = all.filter((entry) => entry.kind === "failure").length;
    const from = new Set(messages.map((entry) => entry.data.body.businessPhone).filter(Boolean));
    this.#avatar.className = `avatar hue-${Number(this.#number.slice(-3)) % 6}`;
    this.#avatar.textContent = this.#number.slice(-2);
    this.#name.textContent = `+${this.#number}`;
    const count = messages.length === 1 ? "1 message" : `${messages.length} messages`;
    const failed = failures && (failures === 1 ? "1 failed request" : `${failures} failed requests`);
    this.#about.textContent = [count, failed, from.size && `from ${[...from].map((one) => `+${one}`).join(", ")}`].filter(Boolean).join(" · ");
    this.#drawWindow();
    this.#found.hidden = !finds;
    this.#howMany.textContent = `${entries.length} of ${all.length} found`;
  }

  /** Says whether an ordinary message arrives now, and says so anew once that changes. */
  #drawWindow() {
    const { isOpen, until } = this.#inbox.windowOf(this.#number);
    this.#window.className = isOpen ? "window" : "window closed";
    if (!isOpen) this.#window.textContent = "24-hour window closed: only WhatsApp templates arrive";
    else this.#window.textContent = until ? `24-hour window open until ${moment(until)}` : "24-hour window open";
    clearTimeout(this.#closing);
    if (isOpen && until) this.#closing = setTimeout(() => this.#drawWindow(), until - new Date() + 100);
  }

  #drawBubbles(entries, selected) {
    if (!entries.length) this.#place.atEnd = true;
    // Read up there, nothing may be taken away; at the end, only the last page is kept drawn.
    if (this.#place.atEnd) this.#first = entries.at(-this.#limit)?.number ?? 0;
    if (!selected) this.#shown = "";
    const wanted = selected && selected !== this.#shown ? entries.findIndex((entry) => entry.id === selected) : -1;
    if (wanted >= 0) this.#first = Math.min(this.#first, entries[Math.max(0, wanted - A_PAGE / 2)].number);
    const shown = entries.filter((entry) => entry.number >= this.#first);
    const news = this.#last ? shown.filter((entry) => entry.number > this.#last).length : 0;
    this.#last = Math.max(this.#last, entries.at(-1)?.number ?? 0);
    this.#all = entries;
    // Older bubbles go when the sandbox keeps no more of them; what is read is one that stays.
    this.#place.remember(shown[0]?.number);
    arrange(this.#list, this.#items(shown));
    this.#earlier.hidden = shown.length === entries.length;
    this.#place.hold();
    const kept = new Set(shown);
    for (const entry of this.#entries.keys()) if (!kept.has(entry)) this.#entries.delete(entry);
    this.#keepOneInTabOrder();
    this.#mark(selected);
    if (wanted >= 0) this.#show(selected);
    else if (this.#place.atEnd) this.#place.toEnd();
    else this.#tellNews(this.#unseen + news);
  }

  /** Gives the bubbles, the first of each day under its name. */
  #items(shown) {
    let before;
    return shown.map((entry) => {
      const item = this.#entries.get(entry) ?? this.#item(entry);
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

  /** Lets a quote say so when the message that it shows is in the inbox no more. */
  #forgetQuoted(quote) {
    if (!this.#inbox.byId.has(quote.dataset.id)) quote.replaceWith(quoteOf(quote.dataset.id, () => undefined));
  }

  /** Marks what was pressed of a message; like on a phone, none of its buttons can be pressed again. */
  #markChosen({ answers, choice }) {
    for (const one of this.#list.querySelectorAll(`article[data-id="${CSS.escape(answers)}"] .choice[data-choice]`)) {
      one.setAttribute("aria-disabled", "true"); // not disabled, which would take the keyboard away
      if (one.dataset.choice !== choice) continue;
      one.classList.add("chosen");
      one.setAttribute("aria-description", "Chosen by the recipient");
    }
  }

  #item(entry) {
    const quotable = this.#actions.answer && entry.kind === "message";
    const open = () => {
      this.#shown = entry.id; // it is in sight
      this.#actions.open(entry);
    };
    const made = bubble(entry, {
      find: (id) => this.#inbox.byId.get(id),
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

  #showEarlier() {
    const shown = this.#all.findIndex((entry) => entry.number >= this.#first);
    const first = Math.max(0, shown - A_PAGE);
    this.#first = this.#all[first].number;
    this.#limit = this.#all.length - first;
    const oldest = this.#articles()[0];
    this.#redraw();
    if (this.#earlier.hidden) oldest?.focus({ preventScroll: true });
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

  #move(event) {
    const articles = this.#articles();
    if (event.target.matches("audio, video")) return; // arrows are theirs
    const at = articles.indexOf(event.target.closest("article"));
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: articles.length - 1 }[event.key];
    if (next === undefined || at < 0 || !articles[next]) return;
    event.preventDefault();
    articles[next].focus();
  }
}

function tabIndex(article, index) {
  for (const one of [article, ...article.querySelectorAll(REACHED_BY_TAB)]) if (one.tabIndex !== index) one.tabIndex = index;
}
