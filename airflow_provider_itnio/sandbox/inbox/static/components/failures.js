// The requests that were refused or answered by a fault, newest first.

import { arrange, button, element, icon } from "../lib/dom.js";
import { explanation } from "./request_dialog.js";
import { clock, day } from "../lib/times.js";

const A_PAGE = 100;

/** Draws the list of failures into the right pane. */
export class FailureList {
  #inbox;
  #actions;
  #cards = new Map();
  #limit = A_PAGE;
  #count = element("p", {});
  #list = element("ol", { class: "failures" });
  #more = button({ class: "more", onclick: () => this.#showMore() }, "Show earlier ones");
  #frame;
  #drawn = () => undefined;

  constructor(inbox, actions) {
    this.#inbox = inbox;
    this.#actions = actions;
    this.#frame = [
      element(
        "header",
        { class: "bar" },
        button({ class: "tool back", "aria-label": "Back to the conversations", title: "Back", onclick: actions.back }, icon("back")),
        element("span", { class: "avatar failed", "aria-hidden": "true" }, icon("refused")),
        element("div", { class: "who" }, element("h2", {}, "Refused requests"), this.#count),
      ),
      element("div", { class: "scroll" }, this.#list, this.#more),
    ];
  }

  /** Draws the failures that a search finds, or all. */
  draw(pane, finds) {
    this.#drawn = () => this.draw(pane, finds);
    arrange(pane, this.#frame);
    const all = (finds ? this.#inbox.failures.filter(finds) : this.#inbox.failures).toReversed();
    const shown = all.slice(0, this.#limit);
    this.#count.textContent = all.length === 1 ? "1 request" : `${all.length} requests`;
    this.#more.hidden = all.length <= shown.length;
    for (const entry of shown) if (!this.#cards.has(entry)) this.#cards.set(entry, this.#card(entry));
    arrange(this.#list, shown.map((entry) => this.#cards.get(entry)));
    const kept = new Set(shown);
    for (const entry of this.#cards.keys()) if (!kept.has(entry)) this.#cards.delete(entry);
  }

  /** Takes the keyboard. */
  focus() {
    (this.#list.querySelector("button") ?? this.#frame[0].querySelector("button")).focus({ preventScroll: true });
  }

  #showMore() {
    this.#limit += A_PAGE;
    this.#drawn();
  }

  #card(entry) {
    const { data, at } = entry;
    return element(
      "li",
      {},
      element(
        "article",
        { class: "failure", "data-number": entry.number },
        explanation(data),
        element(
          "footer",
          {},
          element("code", {}, data.path),
          data.recipient && element("bdi", {}, `to ${data.recipient}`),
          element("time", { datetime: at.toISOString() }, `${day(at)}, ${clock(at)}`),
          button({ class: "open", onclick: () => this.#actions.open(entry) }, "Open the request"),
        ),
      ),
    );
  }
}
