// WhatsApp templates: name, language and parameters. Only WhatsApp knows their text.

import { locationCard } from "./cards.js";
import { element, icon } from "../lib/dom.js";
import { FILES } from "./files.js";
import { replyButton } from "./interactive.js";
import { objectsAt, textAt, valueAt } from "../lib/reading.js";

const SHOWN = { __proto__: null, ...FILES, location: locationCard };

/** Shows a WhatsApp template; `answer` gets the button that is pressed, `chosen` is the button pressed before. */
export function template(content, { answer, chosen }) {
  const components = objectsAt(content, "components");
  const buttons = components.filter((one) => textAt(one, "type") === "button");
  return [
    element("p", { class: "template" },
      icon("template"),
      element("bdi", { class: "name" }, textAt(content, "name")),
      element("small", {}, "WhatsApp template · ", element("bdi", {}, textAt(content, "language", "code"))),
    ),
    components.filter((one) => !buttons.includes(one)).map(parameters),
    element("div", { class: "choices" }, buttons.map((one) => pressable(one, answer, chosen))),
  ];
}

function parameters(component) {
  const all = objectsAt(component, "parameters").map((one, index) => [textAt(one, "type"), one, index]);
  const written = all.filter(([type]) => !(type in SHOWN)).map(([, one, index]) =>
    element("div", {}, element("dt", {}, `{{${index + 1}}}`), element("dd", { dir: "auto" }, valueOf(one))),
  );
  return [
    all.filter(([type]) => type in SHOWN).map(([type, one]) => SHOWN[type](valueAt(one, type) ?? {})),
    element("dl", { class: "parameters", "aria-label": `Parameters of the ${textAt(component, "type")}` }, written),
  ];
}

function valueOf(parameter) {
  const kind = textAt(parameter, "type");
  const inside = valueAt(parameter, kind);
  if (inside !== null && typeof inside === "object") return textAt(inside, "fallback_value") || JSON.stringify(inside);
  return textAt(parameter, kind);
}

function pressable(component, answer, chosen) {
  const index = textAt(component, "index");
  const value = objectsAt(component, "parameters").map(valueOf).filter(Boolean).join(", ");
  if (textAt(component, "sub_type") === "quick_reply") {
    return replyButton(value || `Button ${index}`, value, chosen, answer && (() => answer({ quick_reply: index })));
  }
  return element("p", { class: "choice", title: "The template's own address, with this at its end" },
    icon("link"), element("bdi", {}, `…/${value}`));
}
