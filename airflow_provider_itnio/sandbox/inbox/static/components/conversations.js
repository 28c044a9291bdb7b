// The list on the left: one row for each recipient, and one for requests that failed.

import { arrange, button, element, icon, present } from "../lib/dom.js";
import { withoutMarks } from "../lib/formatting.js";
import { clockOrDay } from "../lib/times.js";

export const FAILURES = "refused";

/** Draws the list and moves through it by arrow keys. */
export class ConversationList {
  #rows = new Map();
  #list = element("ul", {});
  #failures = element("ul", { class: "pinned" });
  #nothing = element("p", { class: "empty" });

  constructor(root, choose) {
    root.append(this.#failures, this.#list, this.#nothing);
    root.addEventListener("keydown", (event) => this.#move(event, root));
    root.addEventListener("click", (event) => {
      const row = event.target.closest("button");
      if (row) choose(row.dataset.number);
    });
  }

  /** Draws what is in the inbox, or what a search left of it. */
  draw(inbox, { chosen, finds }) {
    const wanted = [];
    for (const conversation of inbox.latestFirst()) {
      const entries = finds ? conversation.entries.filter(finds) : conversation.entries;
      if (entries.length) wanted.push(this.#row(conversation.number, entries, chosen));
    }
    const failures = finds ? inbox.failures.filter(finds) : inbox.failures;
    arrange(this.#list, wanted);
    arrange(this.#failures, failures.length ? [this.#failureRow(failures, chosen)] : []);
    this.#nothing.textContent = wanted.length || failures.length ? "" : finds ? "Nothing found" : "No messages yet";
    for (const number of this.#rows.keys()) {
      if (number !== FAILURES && !inbox.conversations.has(number)) this.#rows.delete(number);
    }
    this.#keepOneInTabOrder();
  }

  /** Forgets what is drawn. */
  forget() {
    this.#rows.clear();
  }

  /** Gives the keyboard to the row of a number, or the one that has it when Tab comes. */
  focus(number) {
    const buttons = this.#buttons();
    const row = buttons.find((one) => one.dataset.number === number) ?? buttons.find((one) => one.tabIndex === 0);
    row?.focus();
    this.#keepOneInTabOrder();
  }

  #row(number, entries, chosen) {
    const last = entries.at(-1);
    const messages = entries.filter((entry) => entry.kind === "message").length;
    const failed = entries.some(({ kind, failure, data }) => kind === "failure" || failure || data.status === "failed");
    const state = `${last.number} ${entries.length} ${failed} ${number === chosen}`;
    return this.#made(number, state, () => [
      element("span", { class: `avatar hue-${Number(number.slice(-3)) % 6}`, "aria-hidden": "true" }, number.slice(-2)),
      element("span", { class: "name", dir: "ltr" }, `+${number}`),
      element("time", { datetime: last.at.toISOString() }, clockOrDay(last.at)),
      element(
        "span",
        { class: "last" },
        icon({ reply: "reply", failure: "refused" }[last.kind] ?? last.data.type),
        element("bdi", {}, withoutMarks(last.words) || (last.data.type ?? last.data.meaning)),
      ),
      failed && element("span", { class: "mark", role: "img", "aria-label": "Something failed", title: "Something failed" }, icon("refused")),
      messages > 0 && element("span", { class: "count", "aria-label": messages === 1 ? "1 message" : `${messages} messages` }, String(messages)),
    ], number === chosen);
  }

  #failureRow(failures, chosen) {
    const last = failures.at(-1);
    const { by_fault: byFault, meaning, why } = last.data;
    const state = `${last.number} ${failures.length} ${chosen === FAILURES}`;
    return this.#made(FAILURES, state, () => [
      element("span", { class: "avatar failed", "aria-hidden": "true" }, icon("refused")),
      element("span", { class: "name" }, "Failed requests"),
      element("time", { datetime: last.at.toISOString() }, clockOrDay(last.at)),
      element("span", { class: "last" }, element("bdi", {}, (byFault ? meaning : why) || meaning)),
      element("span", { class: "count", "aria-label": `${failures.length} failed` }, String(failures.length)),
    ], chosen === FAILURES);
  }

  /** Keeps a row as long as what it shows stays the same. */
  #made(number, state, content, isChosen) {
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
