// Dialogs. Escape closes them, and the focus returns to where it was.

import { about, element, make, tool } from "../lib/dom.js";
import { objectsAt, textAt } from "../lib/reading.js";

const SOMEWHERE = { latitude: "22.5431", longitude: "114.0579" };

/** Opens a form under a title; a click beside it closes it too. `done` takes what was filled in, and the button pressed. */
function ask(kind, title, content, done) {
  const close = () => dialog.close();
  const submit = ({ target, submitter }) => done?.(Object.fromEntries(new FormData(target)), submitter?.value);
  const closeBeside = ({ target }) => target === dialog && close();
  const dialog = make(element("dialog", { class: kind, "aria-label": title, onclose: () => dialog.remove(), onclick: closeBeside },
    element("div", { class: "inside" },
      element("header", {}, tool("close", "Close", close), element("h2", { dir: "auto" }, title)),
      element("form", { method: "dialog", class: "content", onsubmit: submit }, content),
    ),
  ));
  document.body.append(dialog);
  dialog.showModal();
}

/** Asks whether to delete everything. */
export function confirmClear(clear) {
  ask("question", "Clear the inbox?", [
    element("p", {}, "Messages, replies and failed requests are forgotten, here and in the JSON API."),
    element("p", { class: "answers" },
      element("button", { autofocus: true }, "Keep"),
      element("button", { class: "danger", value: "clear" }, "Clear"),
    ),
  ], (_, pressed) => pressed === "clear" && clear());
}

/** Opens the list of a message, to choose and send one row; without `answer` it is read-only. */
export function openList(content, answer) {
  const sections = objectsAt(content, "action", "sections").map((section) =>
    element("fieldset", {}, element("legend", { dir: "auto" }, textAt(section, "title")), objectsAt(section, "rows").map(rowOf)),
  );
  ask("sheet", textAt(content, "action", "button") || "List", [sections, answer && sendBar({ disabled: true })], answer);
}

function rowOf(row) {
  const choose = ({ target: { form } }) => form.querySelector("button")?.removeAttribute("disabled");
  const bringIntoSight = ({ target }) => target.parentElement.scrollIntoView({ block: "nearest" });
  return element("label", { class: "row" },
    about(textAt(row, "title"), element("small", { dir: "auto" }, textAt(row, "description"))),
    element("input", { type: "radio", name: "row", value: textAt(row, "id"), onchange: choose, onfocus: bringIntoSight }),
  );
}

/** Asks for the location that a recipient sends. */
export function askForLocation(send) {
  const fields = Object.entries(SOMEWHERE).map(([name, value]) =>
    element("label", {},
      element("span", {}, name),
      element("input", { name, value, inputmode: "decimal", required: true, pattern: "-?[0-9]{1,3}([.][0-9]+)?" }),
    ),
  );
  ask("sheet", "Send location", [element("div", { class: "degrees" }, fields), sendBar()], send);
}

const sendBar = (properties) => element("p", { class: "send-bar" }, element("button", { class: "send-row", ...properties }, "Send"));
