// What the middle pane shows while no conversation is chosen: how to begin, or what to do.

import { copyButton } from "../lib/copying.js";
import { button, draw, element, make, oneAtATime } from "../lib/dom.js";

export class Welcome {
  root = make(element("div", { class: "view" }));
  #connection;
  #sendTest;
  #line = "";
  #asked;

  /** `connection` gives the line to copy; `sendTest` sends a message. Both are missing on a saved page. */
  constructor(connection, sendTest) {
    this.#connection = connection;
    this.#sendTest = sendTest;
  }

  /** Draws how to begin if the inbox is empty. */
  draw(isEmpty) {
    if (isEmpty && this.#connection) this.#asked ??= this.#ask();
    draw(this.root, element("div", { class: "welcome" },
      element("h2", {}, isEmpty ? "Send a first message" : "Choose a conversation"),
      element("p", {}, "What your DAGs send to this sandbox is shown as the recipient’s phone would show it."),
      isEmpty && this.#connection && [
        element("p", {}, "Run this line in the shell that starts Airflow:"),
        element("div", { class: "line" }, element("code", { dir: "ltr" }, this.#line), copyButton("Copy", () => this.#line)),
        element("p", {}, button({ class: "primary", onclick: oneAtATime(this.#sendTest) }, "Send a test message")),
      ],
    ));
  }

  async #ask() {
    this.#line = (await this.#connection())?.line;
    dispatchEvent(new Event("found"));
  }
}
