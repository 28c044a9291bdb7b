// The field at the bottom, where one types as the recipient, and where the last reply went.

import { element, icon, tool } from "../lib/dom.js";
import { withoutMarks } from "../lib/formatting.js";

/**
 * Makes the field, which keeps what each recipient has begun until it is sent. `answer` keeps a reply, `isKnown` says
 * whether a message can still be answered, `redraw` draws the field.
 */
export function makeComposer(answer, isKnown, redraw) {
  const drafts = new Map();
  return { form, quote };

  /** Describes the field of a recipient; `went` says where the last reply went. */
  function form(number, went) {
    const draft = draftOf(number);
    const { text, quoted } = draft;
    return element("form", { class: "composer", key: number, onsubmit: (event) => send(event, number) },
      element("p", { class: "went", role: "status" }, went),
      quoted && element("p", { class: "quoting" },
        element("span", { dir: "auto" }, withoutMarks(quoted.words) || quoted.data.type),
        tool("close", "Reply to no message", () => quote(number, undefined)),
      ),
      element("textarea", {
        rows: "1", maxlength: "4096", dir: "auto", placeholder: "Type a reply", "aria-label": `Reply as +${number}`, value: text,
        oninput: ({ target }) => (draft.text = target.value),
        onkeydown: (event) => onKey(event, number),
      }),
      element("button", { class: "send", "aria-label": "Send the reply", title: "Send" }, icon("send")),
    );
  }

  /** Lets the answer of a recipient name a message that it answers, or none. */
  function quote(number, message) {
    change(number, { quoted: message });
    document.querySelector(".composer textarea").focus();
  }

  function draftOf(number) {
    const draft = drafts.get(number) ?? { text: "" };
    if (draft.quoted && !isKnown(draft.quoted)) draft.quoted = undefined;
    drafts.set(number, draft);
    return draft;
  }

  function change(number, changes) {
    Object.assign(draftOf(number), changes);
    redraw();
  }

  function onKey(event, number) {
    if (event.key === "Escape" && draftOf(number).quoted) {
      event.stopPropagation();
      quote(number, undefined);
    }
    // Enter also ends the choice of a Chinese word, and is no answer then.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event, number);
  }

  async function send(event, number) {
    event.preventDefault();
    const { text, quoted } = draftOf(number);
    if (!text.trim()) return;
    // Emptied before the sandbox has answered: Enter pressed twice sends once, and what is typed meanwhile stays.
    change(number, { text: "", quoted: undefined });
    if (await answer({ recipient: number, text, message_id: quoted?.id })) return;
    // What was not kept is put back before whatever was typed since.
    const since = draftOf(number);
    change(number, { text: [text, since.text].filter(Boolean).join("\n"), quoted: quoted ?? since.quoted });
  }
}
