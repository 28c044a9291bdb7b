// The requests that were refused, dropped or answered by a fault, newest first.

import { arrange, button, element, icon } from "../lib/dom.js";
import { clock, day } from "../lib/times.js";
import { opensByClick } from "./bubble.js";
import { explanation } from "./request_pane.js";

const A_PAGE = 100;

/** Draws the list of failures into the middle pane. */
export class FailureList {
  #inbox;
  #actions;
  #cards = new Map();
  #limit = A_PAGE;
  #shown = "";
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
        element("div", { class: "who" }, element("h2", {}, "Failed requests"), this.#count),
      ),
      element("div", { class: "scroll" }, this.#list, this.#more),
    ];
  }

  /** Draws the failures that a search finds, or all; `selected` is the id of the one to mark. */
  draw(pane, { finds, selected }) {
    this.#drawn = () => this.draw(pane, { finds, selected });
    arrange(pane, this.#frame);
    const all = (finds ? this.#inbox.failures.filter(finds) : this.#inbox.failures).toReversed();
    const wanted = selected === this.#shown ? -1 : all.findIndex(({ id }) => id === selected);
    this.#limit = Math.max(this.#limit, wanted + 1);
    const shown = all.slice(0, this.#limit);
    this.#count.textContent = all.length === 1 ? "1 request" : `${all.length} requests`;
    this.#more.hidden = all.length <= shown.length;
    for (const entry of shown) if (!this.#cards.has(entry)) this.#cards.set(entry, this.#card(entry));
    arrange(this.#list, shown.map((entry) => this.#cards.get(entry)));
    const kept = new Set(shown);
    for (const entry of this.#cards.keys()) if (!kept.has(entry)) this.#cards.delete(entry);
    for (const [{ id }, { firstElementChild: card }] of this.#cards) card.toggleAttribute("aria-current", id === selected);
    if (wanted >= 0) this.#cards.get(all[wanted]).scrollIntoView({ block: "nearest" });
    this.#shown = selected;
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
    const open = () => this.#actions.open(entry);
    return element(
      "li",
      {},
      element(
        "article",
        { class: "failure", "data-number": entry.number, "data-id": entry.id, onclick: (event) => opensByClick(event) && open() },
        explanation(data),
        element(
          "footer",
          {},
          element("code", {}, data.path),
          data.recipient && element("bdi", {}, `to ${data.recipient}`),
          element("time", { datetime: at.toISOString() }, `${day(at)}, ${clock(at)}`),
          button({ class: "open", onclick: open }, "Open the request"),
        ),
      ),
    );
  }
}
