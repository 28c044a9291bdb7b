// The field at the bottom, where one types as the recipient, and where the last reply went.

import { button, element, icon } from "../lib/dom.js";
import { withoutMarks } from "../lib/formatting.js";

/** Takes an answer of one recipient and gives it to `answer`; `isKnown` says whether a message can still be answered. */
export class Composer {
  #number;
  #quoted;
  #answer;
  #isKnown;
  #field = element("textarea", { rows: "1", maxlength: "4096", dir: "auto", placeholder: "Type a reply" });
  #quote = element("p", { class: "quoting", hidden: true });
  #went = element("p", { class: "went", role: "status" });

  constructor(number, answer, isKnown) {
    this.#number = number;
    this.#answer = answer;
    this.#isKnown = isKnown;
    this.form = element("form", { class: "composer", onsubmit: (event) => this.#send(event) },
      this.#went,
      this.#quote,
      this.#field,
      element("button", { class: "send", "aria-label": "Send the reply", title: "Send" }, icon("send")),
    );
    this.#field.setAttribute("aria-label", `Reply as +${number}`);
    this.#field.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#quoted) {
        event.stopPropagation();
        this.quote(undefined);
      }
      // Enter also ends the choice of a Chinese word, and is no answer then.
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.#send(event);
    });
  }

  /** Says where the last reply went. */
  tellWhereItWent(words) {
    this.#went.textContent = words;
  }

  /** Lets the answer name a message that it answers, or none. */
  quote(message) {
    this.#name(message);
    this.#field.focus();
  }

  /** Names a message no more that the inbox has forgotten; the words stay. */
  refresh() {
    if (!this.#quoted || this.#isKnown(this.#quoted)) return;
    if (this.#quote.contains(document.activeElement)) this.#field.focus();
    this.#name(undefined);
  }

  #name(message) {
    const quoted = message && this.#isKnown(message) ? message : undefined;
    this.#quoted = quoted;
    this.#quote.hidden = !quoted;
    if (!quoted) return;
    this.#quote.replaceChildren(
      element("span", { dir: "auto" }, withoutMarks(quoted.words) || quoted.data.type),
      button({ class: "tool", "aria-label": "Reply to no message", onclick: () => this.quote(undefined) }, icon("close")),
    );
  }

  async #send(event) {
    event.preventDefault();
    const [text, quoted] = [this.#field.value, this.#quoted];
    if (!text.trim()) return;
    // Emptied before the sandbox has answered: Enter pressed twice sends once, and what is typed meanwhile stays.
    this.#field.value = "";
    this.#name(undefined);
    if (await this.#answer({ recipient: this.#number, text, message_id: quoted?.id })) return;
    // What was not kept is put back before whatever was typed since.
    this.#field.value = [text, this.#field.value].filter(Boolean).join("\n");
    this.#name(quoted ?? this.#quoted);
  }
}
