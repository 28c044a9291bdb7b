// The middle pane without a selected conversation: how to begin, or what to do.

import { copyButton } from "../lib/copying.js";
import { button, draw, element, make, oneAtATime } from "../lib/dom.js";

/** `connection` gives the line to copy; `sendTest` sends a message. Both are missing on a saved page. */
export function makeWelcome(connection, sendTest) {
  const root = make(element("div", { class: "view" }));
  let line = "";
  let asked;
  return { root, draw: drawWelcome };

  /** Draws how to begin if the inbox is empty. */
  function drawWelcome(isEmpty) {
    if (isEmpty && connection) asked ??= ask();
    draw(root, element("div", { class: "welcome" },
      element("h2", {}, isEmpty ? "Send a first message" : "Choose a conversation"),
      element("p", {}, "What your DAGs send to this sandbox is shown as the recipient’s phone would show it."),
      isEmpty && connection && [
        element("p", {}, "Run this line in the shell that starts Airflow:"),
        element("div", { class: "line" }, element("code", { dir: "ltr" }, line), copyButton("Copy", () => line)),
        element("p", {}, button({ class: "primary", onclick: oneAtATime(sendTest) }, "Send a test message")),
      ],
    ));
  }

  async function ask() {
    line = (await connection())?.line;
    drawWelcome(true);
  }
}
