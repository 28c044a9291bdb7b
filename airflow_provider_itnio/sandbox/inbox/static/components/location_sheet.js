// The place that a recipient sends when a message asks for a location.

import { openDialog } from "./dialog.js";
import { element } from "../lib/dom.js";

const SOMEWHERE = { latitude: "22.5431", longitude: "114.0579" };

/** Asks for a place and gives it to `send`. */
export function askForLocation(send) {
  const fields = Object.entries(SOMEWHERE).map(([name, value]) =>
    element("input", { name, value, inputmode: "decimal", required: true, pattern: "-?[0-9]{1,3}([.][0-9]+)?" }),
  );
  const form = element("form", { class: "degrees", onsubmit: sendPlace },
    fields.map((field) => element("label", {}, element("span", {}, field.name), field)),
    element("p", { class: "send-bar" }, element("button", { class: "send-row" }, "Send")),
  );
  const dialog = openDialog({ name: "sheet", title: "Send location", body: form });

  function sendPlace(event) {
    event.preventDefault();
    dialog.close();
    send(Object.fromEntries(fields.map((field) => [field.name, field.value])));
  }
}
