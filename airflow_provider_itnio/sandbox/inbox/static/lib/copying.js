// Buttons that copy a text.

import { button, element, make } from "./dom.js";

const SHOWN_FOR = 1500;

/** Describes a button that copies the result of `text`, and confirms it. */
export function copyButton(label, text) {
  return button({ class: "copy", onclick: copies }, label);

  async function copies({ currentTarget: { firstChild: shown } }) {
    await copy(text());
    shown.data = "Copied";
    setTimeout(() => (shown.data = label), SHOWN_FOR);
  }
}

async function copy(text) {
  // A browser denies the clipboard to pages over plain HTTP from another machine, and to pages without focus.
  await (navigator.clipboard?.writeText(text) ?? Promise.reject()).catch(() => {
    const field = make(element("textarea", { class: "unseen", "aria-hidden": "true", value: text }));
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  });
}
