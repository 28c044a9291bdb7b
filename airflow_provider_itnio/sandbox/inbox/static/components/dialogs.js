// What opens over the page. Escape closes it, and the keyboard goes back to where it was.

import { element, make, tool } from "../lib/dom.js";
import { objectsAt, textAt } from "../lib/reading.js";

const SOMEWHERE = { latitude: "22.5431", longitude: "114.0579" };

/** Opens a form under a title; a click beside it closes it too. `done` takes what was filled in, and the button pressed. */
function ask(name, title, form, content, done) {
  const dialog = make(element("dialog", { class: name, "aria-label": title, onclose: () => dialog.remove(), onclick: (event) => event.target === dialog && dialog.close() },
    element("div", { class: "inside" },
      element("header", {}, tool("close", "Close", () => dialog.close()), element("h2", { dir: "auto" }, title)),
      element("form", { method: "dialog", ...form, class: `content ${form.class}`, onsubmit: ({ target, submitter }) => done?.(Object.fromEntries(new FormData(target)), submitter?.value) }, content),
    ),
  ));
  document.body.append(dialog);
  dialog.showModal();
}

/** Asks whether all is to be forgotten. */
export function confirmClear(clear) {
  ask("question", "Clear the inbox?", { class: "" }, [
    element("p", {}, "Messages, replies and failed requests are forgotten, here and in the JSON API."),
    element("p", { class: "answers" },
      element("button", { autofocus: true }, "Keep"),
      element("button", { class: "danger", value: "clear" }, "Clear"),
    ),
  ], (_, pressed) => pressed === "clear" && clear());
}

/** Opens the list of a message, one row of it to choose and send; without `answer` it can only be looked at. */
export function openList(content, answer) {
  const choose = ({ target }) => { if (answer) target.form.querySelector(".send-row").disabled = false; };
  ask("sheet", textAt(content, "action", "button") || "List", { class: "rows", onchange: choose }, [
    objectsAt(content, "action", "sections").map((section) =>
      element("fieldset", {},
        textAt(section, "title") && element("legend", { dir: "auto" }, textAt(section, "title")),
        objectsAt(section, "rows").map(rowOf),
      ),
    ),
    answer && sendBar({ disabled: true }),
  ], answer);
}

function rowOf(row) {
  return element("label", { class: "row" },
    element("span", { class: "about" },
      element("bdi", { class: "name" }, textAt(row, "title")),
      element("small", { dir: "auto" }, textAt(row, "description")),
    ),
    element("input", { type: "radio", name: "row", value: textAt(row, "id"), onfocus: ({ target }) => target.parentElement.scrollIntoView({ block: "nearest" }) }),
  );
}

/** Asks for the place that a recipient sends. */
export function askForLocation(send) {
  const fields = Object.entries(SOMEWHERE).map(([name, value]) =>
    element("label", {}, element("span", {}, name), element("input", { name, value, inputmode: "decimal", required: true, pattern: "-?[0-9]{1,3}([.][0-9]+)?" })),
  );
  ask("sheet", "Send location", { class: "degrees" }, [fields, sendBar({})], send);
}

function sendBar(properties) {
  return element("p", { class: "send-bar" }, element("button", { class: "send-row", ...properties }, "Send"));
}
