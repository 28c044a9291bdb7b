// WhatsApp templates: name, language and parameters. Their text is with WhatsApp, so only these can be shown.

import { locationCard } from "./cards.js";
import { element, icon } from "../lib/dom.js";
import { FILES } from "./files.js";
import { choice } from "./interactive.js";
import { objectsAt, textAt, valueAt } from "../lib/reading.js";

const SHOWN = { ...FILES, location: locationCard };

/** Shows a WhatsApp template; `answer` takes what the recipient pressed. */
export function template(content, { answer }) {
  const components = objectsAt(content, "components");
  const buttons = components.filter((one) => textAt(one, "type") === "button");
  return [
    element("p", { class: "template" },
      icon("template"),
      element("bdi", { class: "name" }, textAt(content, "name")),
      element("small", {}, "WhatsApp template · ", element("bdi", {}, textAt(content, "language", "code"))),
    ),
    components.filter((one) => !buttons.includes(one)).map(parameters),
    buttons.length ? element("div", { class: "choices" }, buttons.map((one) => pressable(one, answer))) : undefined,
  ];
}

function parameters(component) {
  const all = objectsAt(component, "parameters");
  const shown = all.filter((one) => textAt(one, "type") in SHOWN);
  const place = textAt(component, "type");
  const written = all
    .map((one, index) => [index, one])
    .filter(([, one]) => !shown.includes(one))
    .map(([index, one]) =>
      element("div", {},
        element("dt", {}, `{{${index + 1}}}`),
        element("dd", { dir: "auto" }, valueOf(one)),
      ),
    );
  return [
    shown.map((one) => SHOWN[textAt(one, "type")](valueAt(one, textAt(one, "type")) ?? {})),
    written.length ? element("dl", { class: "parameters", "aria-label": `Parameters of the ${place}` }, written) : "",
  ];
}

function valueOf(parameter) {
  const kind = textAt(parameter, "type");
  const inside = valueAt(parameter, kind);
  if (inside !== null && typeof inside === "object") return textAt(inside, "fallback_value") || JSON.stringify(inside);
  return textAt(parameter, kind);
}

function pressable(component, answer) {
  const index = textAt(component, "index");
  const value = objectsAt(component, "parameters").map(valueOf).filter(Boolean).join(", ");
  if (textAt(component, "sub_type") === "quick_reply") {
    return choice("reply", value || `Button ${index}`, answer && (() => answer({ quick_reply: index })), { "data-choice": value });
  }
  return element("p", { class: "choice", title: "The template's own address, with this at its end" },
    icon("link"), element("bdi", {}, `…/${value}`));
}
