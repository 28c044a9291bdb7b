// The list on the left: one row for each recipient, and one for requests that failed.

import { avatar, button, draw, element, icon, keepOneInTabOrder, walk } from "../lib/dom.js";
import { withoutMarks } from "../lib/formatting.js";
import { FAILURES } from "../lib/model.js";
import { clockOrDay } from "../lib/times.js";

/** Creates the list from its element, the function that selects a row, and the one that loads more rows. */
export function makeConversationList(root, choose, more) {
  const rows = () => [...root.querySelectorAll(".conversation")];
  root.onkeydown = (event) => walk(event, rows());
  root.addEventListener("focusin", keepOne);
  return { draw: drawList, focus };

  /** Draws the conversations that are loaded. */
  function drawList({ list: { conversations, failures, next }, query }, chosen) {
    const isEmpty = !conversations.length && !failures.count;
    draw(root,
      element("ul", { class: "pinned" }, failures.count > 0 && row(FAILURES, failures, chosen, failed)),
      element("ul", {}, conversations.map((one) => row(one.number, one, chosen, conversation))),
      next && button({ class: "further", onclick: more }, "Show earlier conversations"),
      isEmpty && element("p", { class: "empty" }, query ? "Nothing found" : "No messages yet"),
    );
    keepOne();
  }

  /** Focuses the row of a number, or the row that Tab would focus. */
  function focus(number) {
    (rows().find((one) => one.dataset.number === number) ?? rows().find((one) => one.tabIndex === 0))?.focus();
  }

  function row(number, shown, chosen, describe) {
    const isChosen = number === chosen;
    return element("li", { key: number, state: JSON.stringify([shown, isChosen]) }, () =>
      button({ class: "conversation", "data-number": number, "aria-current": isChosen && "true", onclick: () => choose(number) },
        describe(shown, element("time", { datetime: shown.last.at }, clockOrDay(new Date(shown.last.at)))),
      ),
    );
  }

  function keepOne() {
    const isOne = [(one) => one === document.activeElement, (one) => one.hasAttribute("aria-current"), () => true];
    keepOneInTabOrder(rows(), isOne.map((is) => rows().find(is)).find(Boolean));
  }
}

function conversation({ number, messages, failed, last }, time) {
  return [
    avatar(number),
    element("span", { class: "name", dir: "ltr" }, `+${number}`),
    time,
    element("span", { class: "last" },
      icon({ reply: "reply", failure: "refused" }[last.kind] ?? last.type),
      element("bdi", {}, withoutMarks(last.text) || last.type),
    ),
    failed > 0 && element("span", { class: "mark", role: "img", "aria-label": "Something failed", title: "Something failed" }, icon("refused")),
    messages > 0 && element("span", { class: "count", "aria-label": messages === 1 ? "1 message" : `${messages} messages` }, messages),
  ];
}

function failed({ count, last: { by_fault: byFault, meaning, why } }, time) {
  return [
    avatar(),
    element("span", { class: "name" }, "Failed requests"),
    time,
    element("span", { class: "last" }, element("bdi", {}, (byFault ? meaning : why) || meaning)),
    element("span", { class: "count", "aria-label": `${count} failed` }, count),
  ];
}
