// What the middle pane shows while no conversation is chosen: how to begin, or what to do.

import { copyButton } from "../lib/copying.js";
import { arrange, button, element, oneAtATime } from "../lib/dom.js";

const WAYS = "What your DAGs send to this sandbox is shown as the recipient’s phone would show it.";

export class Welcome {
  #connection;
  #line = element("code", { dir: "ltr" });
  #first;
  #choose = element("div", { class: "welcome" }, element("h2", {}, "Choose a conversation"), element("p", {}, WAYS));

  /** `connection` gives the line to copy; `sendTest` sends a message. Both are missing on a saved page. */
  constructor(connection, sendTest) {
    this.#connection = connection;
    this.#first = element("div", { class: "welcome" },
      element("h2", {}, "Send a first message"),
      element("p", {}, WAYS),
      connection && [
        element("p", {}, "Run this line in the shell that starts Airflow:"),
        element("div", { class: "line" }, this.#line, copyButton("Copy", () => this.#line.textContent)),
        element("p", {}, button({ class: "primary", onclick: oneAtATime(sendTest) }, "Send a test message")),
      ],
    );
  }

  /** Draws how to begin if the inbox is empty. */
  draw(pane, isEmpty) {
    if (isEmpty && this.#connection && !this.#line.textContent) this.#fill();
    arrange(pane, [isEmpty ? this.#first : this.#choose]);
  }

  async #fill() {
    const { line } = (await this.#connection()) ?? {};
    this.#line.textContent = line ?? "";
  }
}
