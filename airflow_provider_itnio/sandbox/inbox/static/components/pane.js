// The right pane, which stays beside the chat; on a phone it is a sheet from below.

import { button, element, icon } from "../lib/dom.js";

const PHONE = matchMedia("(max-width: 46rem)");

export class Pane {
  #root;
  #others;
  #close;
  #nothing = element("p", { class: "empty" }, "Choose a message to see its request, the answer and what was pushed.");

  /** Takes its element, what lies below it when it is a sheet, and what to do to close it. */
  constructor(root, others, close) {
    this.#root = root;
    this.#others = others;
    this.#close = close;
    // What lies below a sheet takes no clicks, so that one beside the sheet meets the page itself.
    document.addEventListener("click", ({ target }) => [document.body, document.documentElement, root.parentElement].includes(target) && this.isSheet && close());
    PHONE.addEventListener("change", () => this.#cover());
    this.hide();
  }

  get isOpen() {
    return !("empty" in this.#root.dataset);
  }

  /** Whether it covers what it belongs to. */
  get isSheet() {
    return this.isOpen && PHONE.matches;
  }

  /** Shows something under a title, with `tools` beside it; it takes the keyboard if it covers what had it. */
  show(title, tools, ...content) {
    const closes = button({ class: "tool", "aria-label": `Close: ${title}`, title: "Close", onclick: this.#close }, icon("close"));
    this.#root.setAttribute("aria-label", title);
    this.#root.replaceChildren(
      element("header", { class: "bar" }, element("h2", {}, title), element("p", { class: "tools" }, tools), closes),
      element("div", { class: "content" }, content),
    );
    const opens = !this.isOpen;
    delete this.#root.dataset.empty;
    this.#cover();
    if (opens && (this.isSheet || !document.activeElement.checkVisibility())) closes.focus();
  }

  /** Shows nothing. */
  hide() {
    this.#root.dataset.empty = "";
    this.#root.setAttribute("aria-label", "Request");
    this.#root.replaceChildren(this.#nothing);
    this.#cover();
  }

  contains(node) {
    return this.#root.contains(node);
  }

  #cover() {
    for (const other of this.#others) other.inert = this.isSheet;
  }
}
