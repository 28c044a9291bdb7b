// The right pane, which stays beside the chat; on a phone it is a sheet from below.

import { draw, element, tool } from "../lib/dom.js";

export const PHONE = matchMedia("(max-width: 46rem)");

export class Pane {
  #root;
  #others;
  #close;

  /** Takes its element, what lies below it when it is a sheet, and what to do to close it. */
  constructor(root, others, close) {
    this.#root = root;
    this.#others = others;
    this.#close = close;
    // What lies below a sheet takes no clicks, so that one beside the sheet meets the page itself.
    document.addEventListener("click", ({ target }) => target.contains(root) && target !== root && this.isSheet && close());
    PHONE.addEventListener("change", () => this.#cover());
    this.hide();
  }

  get isOpen() {
    return !("empty" in this.#root.dataset);
  }

  get title() {
    return this.#root.ariaLabel;
  }

  /** Whether it covers what it belongs to. */
  get isSheet() {
    return this.isOpen && PHONE.matches;
  }

  /**
   * Shows something under a title, with `tools` beside it; it takes the keyboard if it covers what had it. What is shown
   * anew by the same `key` stays where one reads it.
   */
  show(title, key, tools, ...content) {
    const opens = !this.isOpen;
    this.#draw(title,
      element("header", { class: "bar", key: title },
        element("h2", {}, title),
        element("p", { class: "tools" }, tools),
        tool("close", `Close: ${title}`, this.#close),
      ),
      element("div", { class: "content", key }, content),
    );
    delete this.#root.dataset.empty;
    this.#cover();
    if (opens && (this.isSheet || !document.activeElement.checkVisibility())) this.#root.querySelector("header > .tool").focus();
  }

  /** Shows nothing. */
  hide() {
    this.#root.dataset.empty = "";
    this.#draw("Request", element("p", { class: "empty" }, "Choose a message to see its request, the answer and what was pushed."));
    this.#cover();
  }

  contains(node) {
    return this.#root.contains(node);
  }

  #draw(label, ...content) {
    this.#root.ariaLabel = label;
    draw(this.#root, content);
  }

  #cover() {
    for (const other of this.#others) other.inert = this.isSheet;
  }
}
