// The requests that were refused, dropped or answered by a fault, newest first.

import { arrange, backButton, button, element, icon } from "../lib/dom.js";
import { clock, day } from "../lib/times.js";
import { opensByClick } from "./bubble.js";
import { explanation } from "./request_pane.js";

const A_PAGE = 100;

/** Draws the list of failures into the middle pane. */
export class FailureList {
  #inbox;
  #actions;
  #part;
  #cards = new WeakMap();
  #limit = A_PAGE;
  #shown = "";
  #count = element("p", {});
  #list = element("ol", { class: "failures" });
  #newer = button({ class: "further", onclick: () => this.#actions.more(this.#part, "later") }, "Show later ones");
  #more = button({ class: "more", onclick: () => this.#showMore() }, "Show earlier ones");
  #frame;

  constructor(inbox, actions) {
    this.#inbox = inbox;
    this.#actions = actions;
    this.#frame = [
      element("header", { class: "bar" },
        backButton(actions.back),
        element("span", { class: "avatar failed", "aria-hidden": "true" }, icon("refused")),
        element("div", { class: "who" }, element("h2", {}, "Failed requests"), this.#count),
      ),
      element("div", { class: "scroll" }, this.#newer, this.#list, this.#more),
    ];
  }

  /** Draws the failures that are loaded; `selected` is the id of the one to mark. */
  draw(pane, part, selected) {
    if (part !== this.#part) this.#begin(part);
    arrange(pane, this.#frame);
    if (part.after === null) part.trim(this.#limit);
    const { count } = this.#inbox.list.failures;
    const shown = part.entries.toReversed();
    const wanted = selected === this.#shown ? undefined : part.find(selected);
    this.#count.textContent = count === 1 ? "1 request" : `${count} requests`;
    this.#more.hidden = part.before === null;
    this.#newer.hidden = part.after === null;
    for (const entry of shown) if (!this.#cards.has(entry)) this.#cards.set(entry, this.#card(entry));
    arrange(this.#list, shown.map((entry) => this.#cards.get(entry)));
    for (const entry of shown) this.#cards.get(entry).firstElementChild.toggleAttribute("aria-current", entry.id === selected);
    if (wanted) this.#cards.get(wanted).scrollIntoView({ block: "nearest" });
    this.#shown = selected;
  }

  /** Takes the keyboard. */
  focus() {
    (this.#list.querySelector("button") ?? this.#frame[0].querySelector("button")).focus({ preventScroll: true });
  }

  #begin(part) {
    this.#part = part;
    this.#limit = A_PAGE;
    this.#shown = "";
  }

  #showMore() {
    this.#limit = this.#part.entries.length + A_PAGE;
    this.#actions.more(this.#part, "earlier");
  }

  #card(entry) {
    const { data, at } = entry;
    const open = () => this.#actions.open(entry);
    return element("li", {},
      element(
        "article",
        { class: "failure", "data-number": entry.number, "data-id": entry.id, onclick: (event) => opensByClick(event) && open() },
        explanation(data),
        element("footer", {},
          element("code", {}, data.path),
          data.recipient && element("bdi", {}, `to ${data.recipient}`),
          element("time", { datetime: at.toISOString() }, `${day(at)}, ${clock(at)}`),
          button({ class: "open", onclick: open }, "Open the request"),
        ),
      ),
    );
  }
}
