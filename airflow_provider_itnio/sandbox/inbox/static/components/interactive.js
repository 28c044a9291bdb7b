// Interactive messages: reply buttons, lists and location requests.

import { button, element, icon, oneAtATime } from "../lib/dom.js";
import { askForLocation, openList } from "./dialogs.js";
import { FILES } from "./files.js";
import { formatted } from "../lib/formatting.js";
import { objectsAt, textAt, valueAt } from "../lib/reading.js";

/**
 * Shows an interactive message; `answer` gets the recipient's choice, and is missing if replies are not possible;
 * `chosen` is the previous choice.
 */
export function interactive(content, { answer, chosen }) {
  return [
    header(content),
    element("div", { class: "words", dir: "auto" }, formatted(textAt(content, "body", "text"))),
    element("p", { class: "footer", dir: "auto" }, textAt(content, "footer", "text")),
    element("div", { class: "choices" }, choices(content, answer, chosen)),
  ];
}

function header(content) {
  const kind = textAt(content, "header", "type");
  const file = valueAt(content, "header", kind);
  if (["image", "video", "document"].includes(kind) && file) return FILES[kind](file);
  const text = textAt(content, "header", "text");
  return text && element("p", { class: "header", dir: "auto" }, text);
}

function choices(content, answer, chosen) {
  const label = textAt(content, "action", "button");
  const replies = objectsAt(content, "action", "buttons").map(({ reply }) => [textAt(reply, "title"), textAt(reply, "id")]);
  const isList = label || objectsAt(content, "action", "sections").length > 0;
  return [
    replies.map(([title, id]) => replyButton(title, id, chosen, answer && (() => answer({ button: id })))),
    isList && choice("list", label || "List", () => openList(content, answer), { "aria-haspopup": "dialog" }),
    textAt(content, "type") === "location_request_message" &&
      choice("location", "Send location", answer && (() => askForLocation((location) => answer({ location }))), { "aria-haspopup": "dialog" }),
  ];
}

/** Shows a reply button; as on a phone, only one button of a message can be pressed, once. */
export function replyButton(label, value, chosen, pressed) {
  const isChosen = value === chosen;
  return choice("reply", label, chosen === undefined ? pressed : () => undefined, {
    class: isChosen ? "choice chosen" : "choice",
    "aria-disabled": chosen !== undefined && "true", // not disabled, which would take the keyboard away
    "aria-description": isChosen && "Chosen by the recipient",
  });
}

function choice(drawn, label, pressed, properties) {
  const onclick = pressed && oneAtATime(pressed);
  return button({ class: "choice", disabled: !pressed, onclick, ...properties }, icon(drawn), element("bdi", {}, label));
}
