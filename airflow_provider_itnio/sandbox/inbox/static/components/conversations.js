// The list on the left: one row for each recipient, and one for requests that failed.

import { arrange, button, element, icon, present } from "../lib/dom.js";
import { withoutMarks } from "../lib/formatting.js";
import { FAILURES } from "../lib/model.js";
import { clockOrDay } from "../lib/times.js";

/** Draws the list and moves through it by arrow keys. */
export class ConversationList {
  #rows = new Map();
  #list = element("ul", {});
  #failures = element("ul", { class: "pinned" });
  #nothing = element("p", { class: "empty" });
  #more;

  /** Takes where to draw it, what chooses a row, and what loads more of them. */
  constructor(root, choose, more) {
    this.#more = button({ class: "further", hidden: true, onclick: more }, "Show earlier conversations");
    root.append(this.#failures, this.#list, this.#more, this.#nothing);
    root.addEventListener("keydown", (event) => this.#move(event, root));
    root.addEventListener("click", (event) => {
      const row = event.target.closest(".conversation");
      if (row) choose(row.dataset.number);
    });
  }

  /** Draws the conversations that are loaded. */
  draw({ list: { conversations, failures, next }, query }, chosen) {
    const wanted = conversations.map((one) => this.#row(one, chosen));
    arrange(this.#list, wanted);
    arrange(this.#failures, failures.count ? [this.#failureRow(failures, chosen)] : []);
    this.#more.hidden = !next;
    this.#nothing.textContent = wanted.length || failures.count ? "" : query ? "Nothing found" : "No messages yet";
    const numbers = new Set([FAILURES, ...conversations.map(({ number }) => number)]);
    for (const number of this.#rows.keys()) if (!numbers.has(number)) this.#rows.delete(number);
    this.#keepOneInTabOrder();
  }

  /** Gives the keyboard to the row of a number, or the one that has it when Tab comes. */
  focus(number) {
    const buttons = this.#buttons();
    const row = buttons.find((one) => one.dataset.number === number) ?? buttons.find((one) => one.tabIndex === 0);
    row?.focus();
    this.#keepOneInTabOrder();
  }

  #row(conversation, chosen) {
    const { number, messages, failed, last } = conversation;
    const at = new Date(last.at);
    return this.#made(number, conversation, () => [
      element("span", { class: `avatar hue-${Number(number.slice(-3)) % 6}`, "aria-hidden": "true" }, number.slice(-2)),
      element("span", { class: "name", dir: "ltr" }, `+${number}`),
      element("time", { datetime: at.toISOString() }, clockOrDay(at)),
      element("span", { class: "last" },
        icon({ reply: "reply", failure: "refused" }[last.kind] ?? last.type),
        element("bdi", {}, withoutMarks(last.text) || last.type),
      ),
      failed > 0 && element("span", { class: "mark", role: "img", "aria-label": "Something failed", title: "Something failed" }, icon("refused")),
      messages > 0 && element("span", { class: "count", "aria-label": messages === 1 ? "1 message" : `${messages} messages` }, String(messages)),
    ], number === chosen);
  }

  #failureRow(failures, chosen) {
    const { by_fault: byFault, meaning, why } = failures.last;
    const at = new Date(failures.last.at);
    return this.#made(FAILURES, failures, () => [
      element("span", { class: "avatar failed", "aria-hidden": "true" }, icon("refused")),
      element("span", { class: "name" }, "Failed requests"),
      element("time", { datetime: at.toISOString() }, clockOrDay(at)),
      element("span", { class: "last" }, element("bdi", {}, (byFault ? meaning : why) || meaning)),
      element("span", { class: "count", "aria-label": `${failures.count} failed` }, String(failures.count)),
    ], chosen === FAILURES);
  }

  /** Keeps a row as long as what it shows stays the same. */
  #made(number, shown, content, isChosen) {
    const state = JSON.stringify([shown, isChosen]);
    let row = this.#rows.get(number);
    if (!row) {
      row = { item: element("li", {}, button({ class: "conversation", "data-number": number, tabindex: "-1" })) };
      this.#rows.set(number, row);
    }
    if (row.state !== state) {
      const made = row.item.firstElementChild;
      made.replaceChildren(...present(content()));
      if (isChosen) made.setAttribute("aria-current", "true");
      else made.removeAttribute("aria-current");
      row.state = state;
    }
    return row.item;
  }

  #buttons() {
    return [...this.#failures.querySelectorAll("button"), ...this.#list.querySelectorAll("button")];
  }

  #keepOneInTabOrder() {
    const buttons = this.#buttons();
    const kept =
      buttons.find((one) => one === document.activeElement) ??
      buttons.find((one) => one.hasAttribute("aria-current")) ??
      buttons[0];
    for (const one of buttons) one.tabIndex = one === kept ? 0 : -1;
  }

  #move(event, root) {
    const buttons = this.#buttons();
    const at = buttons.indexOf(root.ownerDocument.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (next === undefined || at < 0) return;
    event.preventDefault();
    buttons[next]?.focus();
    this.#keepOneInTabOrder();
  }
}
