// The field at the bottom for replies as the recipient, and the destination of the last reply.

import { element, icon, tool } from "../lib/dom.js";
import { withoutMarks } from "../lib/formatting.js";

/**
 * Creates the field, which stores a draft for each recipient. `answer` sends a reply, `isKnown` returns whether a
 * message can still be answered, `redraw` draws the field.
 */
export function makeComposer(answer, isKnown, redraw) {
  const drafts = new Map();
  return { form, quote };

  /** Describes the field of a recipient; `went` is the destination of the last reply. */
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

  /** Sets the message that the recipient's reply answers, or none. */
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
    // Enter also ends the input of a Chinese word; then it does not send.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event, number);
  }

  async function send(event, number) {
    event.preventDefault();
    const { text, quoted } = draftOf(number);
    if (!text.trim()) return;
    // Cleared before the sandbox answers, so that pressing Enter twice sends once, and later typing is kept.
    change(number, { text: "", quoted: undefined });
    if (await answer({ recipient: number, text, message_id: quoted?.id })) return;
    // A reply that failed is put back in front of later typing.
    const since = draftOf(number);
    change(number, { text: [text, since.text].filter(Boolean).join("\n"), quoted: quoted ?? since.quoted });
  }
}
