// The field at the bottom, where the recipient types an answer.

import { button, element, icon } from "./dom.js";
import { withoutMarks } from "./formatting.js";

/** Takes an answer and gives it to `answer`. */
export class Composer {
  #number = "";
  #quoted;
  #answer;
  #field = element("textarea", { rows: "1", maxlength: "4096", dir: "auto", placeholder: "Type an answer" });
  #quote = element("p", { class: "quoting", hidden: true });

  constructor(answer) {
    this.#answer = answer;
    this.form = element(
      "form",
      { class: "composer", onsubmit: (event) => this.#send(event) },
      this.#quote,
      this.#field,
      element("button", { class: "send", "aria-label": "Send the answer", title: "Send" }, icon("send")),
    );
    this.#field.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#quoted) {
        event.stopPropagation();
        this.quote(undefined);
      }
      // Enter also ends the choice of a Chinese word, and is no answer then.
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.#send(event);
    });
  }

  /** Begins an answer of another recipient. */
  begin(number) {
    this.#number = number;
    this.#field.value = "";
    this.#field.setAttribute("aria-label", `Answer as +${number}`);
    this.quote(undefined);
  }

  /** Lets the answer name a message that it answers. */
  quote(entry) {
    this.#quoted = entry?.kind === "message" ? entry : undefined;
    this.#quote.hidden = !this.#quoted;
    if (!this.#quoted) return;
    this.#quote.replaceChildren(
      element("span", { dir: "auto" }, withoutMarks(this.#quoted.words) || this.#quoted.data.type),
      button({ class: "tool", "aria-label": "Answer no message", onclick: () => this.quote(undefined) }, icon("close")),
    );
    this.#field.focus();
  }

  async #send(event) {
    event.preventDefault();
    const text = this.#field.value;
    if (!text.trim()) return;
    const reply = { recipient: this.#number, text, message_id: this.#quoted?.id };
    if (await this.#answer(reply)) this.begin(this.#number);
  }
}
