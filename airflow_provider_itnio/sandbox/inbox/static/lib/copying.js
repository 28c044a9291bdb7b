// Buttons that copy a text.

import { button, element } from "./dom.js";

const SHOWN_FOR = 1500;

/** Makes a button that copies what `text` gives, and says so. */
export function copyButton(label, text) {
  const made = button({ class: "copy", onclick: copies }, label);
  return made;

  async function copies() {
    await copy(text());
    made.textContent = "Copied";
    setTimeout(() => (made.textContent = label), SHOWN_FOR);
  }
}

async function copy(text) {
  // A browser gives pages over plain HTTP from another machine no clipboard, nor one that has not the keyboard.
  await (navigator.clipboard?.writeText(text) ?? Promise.reject()).catch(() => {
    const field = element("textarea", { class: "unseen", "aria-hidden": "true" });
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  });
}
