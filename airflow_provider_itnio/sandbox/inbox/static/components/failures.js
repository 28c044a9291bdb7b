// The requests that were refused, dropped or answered by a fault, newest first.

import { button, draw, element, icon, make, tool } from "../lib/dom.js";
import { clock, day } from "../lib/times.js";
import { opensByClick } from "./bubble.js";
import { explanation } from "./request_pane.js";

const A_PAGE = 100;

/** Draws the list of failures into the middle pane. */
export class FailureList {
  root = make(element("div", { class: "view" }));
  #inbox;
  #actions;
  #part;
  #limit = A_PAGE;
  #shown = "";

  constructor(inbox, actions) {
    this.#inbox = inbox;
    this.#actions = actions;
  }

  /** Draws the failures that are loaded; `selected` is the id of the one to mark. */
  draw(part, selected) {
    if (part !== this.#part) [this.#part, this.#limit, this.#shown] = [part, A_PAGE, ""];
    if (part.after === null) part.trim(this.#limit);
    const { count } = this.#inbox.list.failures;
    draw(this.root,
      element("header", { class: "bar" },
        tool("back", "Back to the conversations", this.#actions.back, "tool back"),
        element("span", { class: "avatar failed", "aria-hidden": "true" }, icon("refused")),
        element("div", { class: "who" }, element("h2", {}, "Failed requests"), element("p", {}, count === 1 ? "1 request" : `${count} requests`)),
      ),
      element("div", { class: "scroll" },
        part.after !== null && button({ class: "further", onclick: () => this.#actions.more(part, "later") }, "Show later ones"),
        element("ol", { class: "failures" }, part.entries.toReversed().map((entry) => this.#card(entry, entry.id === selected))),
        part.before !== null && button({ class: "more", onclick: () => this.#showMore() }, "Show earlier ones"),
      ),
    );
    if (selected && selected !== this.#shown) this.root.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
    this.#shown = selected;
  }

  /** Takes the keyboard. */
  focus() {
    (this.root.querySelector("li button") ?? this.root.querySelector("button")).focus({ preventScroll: true });
  }

  #showMore() {
    this.#limit = this.#part.entries.length + A_PAGE;
    this.#actions.more(this.#part, "earlier");
  }

  #card(entry, isSelected) {
    const { id, number, data, at } = entry;
    const open = () => this.#actions.open(entry);
    return element("li", { key: number },
      element("article", { class: "failure", "data-number": number, "data-id": id, "aria-current": isSelected && "true", onclick: (event) => opensByClick(event) && open() },
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
