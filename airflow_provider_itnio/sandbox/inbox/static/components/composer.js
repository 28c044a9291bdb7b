// The field at the bottom, where one types as the recipient, and where the last reply went.

import { element, icon, tool } from "../lib/dom.js";
import { withoutMarks } from "../lib/formatting.js";

/** Takes what one types as a recipient, and keeps what each has begun until it is sent. */
export class Composer {
  #drafts = new Map();
  #answer;
  #isKnown;
  #redraw;

  /** `answer` keeps a reply, `isKnown` says whether a message can still be answered, `redraw` draws the field. */
  constructor(answer, isKnown, redraw) {
    this.#answer = answer;
    this.#isKnown = isKnown;
    this.#redraw = redraw;
  }

  /** Describes the field of a recipient; `went` says where the last reply went. */
  form(number, went) {
    const draft = this.#draftOf(number);
    const { text, quoted } = draft;
    return element("form", { class: "composer", key: number, onsubmit: (event) => this.#send(event, number) },
      element("p", { class: "went", role: "status" }, went),
      quoted && element("p", { class: "quoting" },
        element("span", { dir: "auto" }, withoutMarks(quoted.words) || quoted.data.type),
        tool("close", "Reply to no message", () => this.quote(number, undefined)),
      ),
      element("textarea", {
        rows: "1", maxlength: "4096", dir: "auto", placeholder: "Type a reply", "aria-label": `Reply as +${number}`, value: text,
        oninput: ({ target }) => (draft.text = target.value),
        onkeydown: (event) => this.#onKey(event, number),
      }),
      element("button", { class: "send", "aria-label": "Send the reply", title: "Send" }, icon("send")),
    );
  }

  /** Lets the answer of a recipient name a message that it answers, or none. */
  quote(number, message) {
    this.#name(number, message);
    document.querySelector(".composer textarea").focus();
  }

  #name(number, message) {
    this.#draftOf(number).quoted = message;
    this.#redraw();
  }

  #draftOf(number) {
    const draft = this.#drafts.get(number) ?? { text: "" };
    if (draft.quoted && !this.#isKnown(draft.quoted)) draft.quoted = undefined;
    this.#drafts.set(number, draft);
    return draft;
  }

  #onKey(event, number) {
    if (event.key === "Escape" && this.#draftOf(number).quoted) {
      event.stopPropagation();
      this.quote(number, undefined);
    }
    // Enter also ends the choice of a Chinese word, and is no answer then.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.#send(event, number);
  }

  async #send(event, number) {
    event.preventDefault();
    const draft = this.#draftOf(number);
    const { text, quoted } = draft;
    if (!text.trim()) return;
    // Emptied before the sandbox has answered: Enter pressed twice sends once, and what is typed meanwhile stays.
    draft.text = "";
    this.#name(number, undefined);
    if (await this.#answer({ recipient: number, text, message_id: quoted?.id })) return;
    // What was not kept is put back before whatever was typed since.
    draft.text = [text, draft.text].filter(Boolean).join("\n");
    this.#name(number, quoted ?? draft.quoted);
  }
}
