// The field at the bottom, where one types as the recipient, and where the last reply went.

import { button, element, icon } from "../lib/dom.js";
import { withoutMarks } from "../lib/formatting.js";

/** Takes an answer and gives it to `answer`; `isKnown` says whether a message can still be answered. */
export class Composer {
  #number = "";
  #quoted;
  #answer;
  #isKnown;
  #drafts = new Map();
  #field = element("textarea", { rows: "1", maxlength: "4096", dir: "auto", placeholder: "Type a reply" });
  #quote = element("p", { class: "quoting", hidden: true });
  #went = element("p", { class: "went", role: "status" });

  constructor(answer, isKnown) {
    this.#answer = answer;
    this.#isKnown = isKnown;
    this.form = element("form", { class: "composer", onsubmit: (event) => this.#send(event) },
      this.#went,
      this.#quote,
      this.#field,
      element("button", { class: "send", "aria-label": "Send the reply", title: "Send" }, icon("send")),
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

  /** Begins an answer of a recipient, or goes on with the one that was left. */
  begin(number) {
    this.#keep(this.#number, { text: this.#field.value, quoted: this.#quoted });
    this.#number = number;
    this.#field.setAttribute("aria-label", `Reply as +${number}`);
    this.tellWhereItWent("");
    this.#write(this.#drafts.get(number) ?? { text: "" });
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

  #write({ text, quoted }) {
    this.#field.value = text;
    this.#name(quoted);
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
    const [number, text, quoted] = [this.#number, this.#field.value, this.#quoted];
    if (!text.trim()) return;
    // Emptied before the sandbox has answered: Enter pressed twice sends once, and what is typed meanwhile stays.
    this.#write({ text: "" });
    if (!(await this.#answer({ recipient: number, text, message_id: quoted?.id }))) this.#putBack(number, text, quoted);
  }

  /** Puts an answer that was not kept before whatever was typed since. */
  #putBack(number, text, quoted) {
    const here = number === this.#number;
    const since = here ? { text: this.#field.value, quoted: this.#quoted } : this.#drafts.get(number);
    const draft = { text: [text, since?.text].filter(Boolean).join("\n"), quoted: quoted ?? since?.quoted };
    if (here) this.#write(draft);
    else this.#keep(number, draft);
  }

  #keep(number, draft) {
    if (draft.text || draft.quoted) this.#drafts.set(number, draft);
    else this.#drafts.delete(number);
  }
}
