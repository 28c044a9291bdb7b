// Messages to answer by pressing something: reply buttons, lists and requests for a location.

import { button, element, icon, oneAtATime } from "../lib/dom.js";
import { FILES } from "./files.js";
import { formatted } from "../lib/formatting.js";
import { objectsAt, textAt, valueAt } from "../lib/reading.js";
import { openList } from "./list_sheet.js";
import { askForLocation } from "./location_sheet.js";

/** Shows an interactive message; `answer` takes what the recipient chose, and is missing where none can be kept. */
export function interactive(content, { answer }) {
  return [
    header(content),
    element("div", { class: "words", dir: "auto" }, formatted(textAt(content, "body", "text"))),
    element("p", { class: "footer", dir: "auto" }, textAt(content, "footer", "text")),
    choices(content, answer),
  ];
}

function header(content) {
  const kind = textAt(content, "header", "type");
  const file = valueAt(content, "header", kind);
  if (["image", "video", "document"].includes(kind) && file) return FILES[kind](file);
  const text = textAt(content, "header", "text");
  return text && element("p", { class: "header", dir: "auto" }, text);
}

function choices(content, answer) {
  const replies = objectsAt(content, "action", "buttons").map((one) => valueAt(one, "reply"));
  const label = textAt(content, "action", "button");
  const made = replies.map((reply) =>
    choice("reply", textAt(reply, "title"), answer && (() => answer({ button: textAt(reply, "id") })), {
      "data-choice": textAt(reply, "id"),
    }),
  );
  if (label || objectsAt(content, "action", "sections").length) {
    made.push(choice("list", label || "List", () => openList(content, answer), { "aria-haspopup": "dialog" }));
  }
  if (textAt(content, "type") === "location_request_message") {
    const pressed = answer && (() => askForLocation((location) => answer({ location })));
    made.push(choice("location", "Send location", pressed, { "aria-haspopup": "dialog" }));
  }
  return made.length ? element("div", { class: "choices" }, made) : undefined;
}

function unlessDisabled(does) {
  return ({ currentTarget }) => currentTarget.getAttribute("aria-disabled") !== "true" && does();
}

/** Makes a button under a message; without anything to do it cannot be pressed, and while it does it, not again. */
export function choice(drawn, label, pressed, properties = {}) {
  return button({ class: "choice", disabled: !pressed, onclick: pressed && unlessDisabled(oneAtATime(pressed)), ...properties },
    icon(drawn),
    element("bdi", {}, label),
  );
}
