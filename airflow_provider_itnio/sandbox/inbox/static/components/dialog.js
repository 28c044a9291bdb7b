// Dialogs over the page. Escape closes them, and the focus goes back to where it was.

import { button, element, icon } from "../lib/dom.js";

/** Opens a dialog with a title; a click beside it closes it too. */
export function openDialog({ name, title, body }) {
  const dialog = element("dialog", { class: name, "aria-label": title, onclose: () => dialog.remove(), onclick: closeBeside },
    element("div", { class: "inside" },
      element("header", {},
        button({ class: "tool", "aria-label": "Close", title: "Close", onclick: () => dialog.close() }, icon("close")),
        element("h2", { dir: "auto" }, title),
      ),
      element("div", { class: "content" }, body),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return dialog;

  function closeBeside(event) {
    if (event.target === dialog) dialog.close();
  }
}
