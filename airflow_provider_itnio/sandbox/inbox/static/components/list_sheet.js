// The list of an interactive message, opened as a phone opens it: from below, one row to choose, then sent.

import { element } from "../lib/dom.js";
import { objectsAt, textAt } from "../lib/reading.js";
import { openDialog } from "./dialog.js";

/** Opens the list of a message; without `answer` it can only be looked at. */
export function openList(content, answer) {
  const send = element("button", { class: "send-row", disabled: true }, "Send");
  const sections = objectsAt(content, "action", "sections").map((section) => {
    const title = textAt(section, "title");
    return element("fieldset", {},
      title && element("legend", { dir: "auto" }, title),
      objectsAt(section, "rows").map((row) => rowOf(row, () => (send.disabled = !answer))),
    );
  });
  const dialog = openDialog({
    name: "sheet",
    title: textAt(content, "action", "button") || "List",
    body: element("form", { class: "rows", onsubmit: sendChosen }, sections, answer && element("p", { class: "send-bar" }, send)),
  });

  function sendChosen(event) {
    event.preventDefault();
    const chosen = dialog.querySelector("input:checked");
    if (!chosen || !answer) return;
    dialog.close();
    answer({ row: chosen.value });
  }
}

function rowOf(row, chosen) {
  return element("label", { class: "row" },
    element("span", { class: "about" },
      element("bdi", { class: "name" }, textAt(row, "title")),
      element("small", { dir: "auto" }, textAt(row, "description")),
    ),
    element("input", { type: "radio", name: "row", value: textAt(row, "id"), onchange: chosen, onfocus: (event) => event.target.parentElement.scrollIntoView({ block: "nearest" }) }),
  );
}
