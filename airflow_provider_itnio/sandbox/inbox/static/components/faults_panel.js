// What goes wrong on purpose: what the next answers will be, and what share of the messages fails at random.

import { button, element } from "../lib/dom.js";

// Each with its default value, what to post of it, and what the command line calls it.
const HOW = {
  status: { label: "refused with the code", value: "-12", fault: (value) => ({ status: value }), share: (value) => value },
  http: { label: "answered by HTTP", value: "503", fault: (value) => ({ http_status: Number(value) }), share: (value) => value },
  before: { label: "dropped, not accepted", fault: () => ({ drop: "before_accepting" }), share: () => "drop" },
  after: { label: "accepted, then dropped", fault: () => ({ drop: "after_accepting" }) },
  late: { label: "late by seconds", value: "5", fault: (value) => ({ delay: Number(value) }) },
};

/** Shows the faults of a sandbox in the right pane, and sets and clears them by its API. */
export class FaultsPanel {
  #source;
  #pane;
  #tool;
  #faults = { next: [], random: [] };
  #set = element("ul", { class: "set" });
  #amount = element("input", { type: "number", min: "0", step: "any", value: "1", required: true, "aria-label": "How many" });
  #of = select("Of what", { next: "of the next requests", random: "% of all messages" });
  #how = select("What happens", Object.fromEntries(Object.entries(HOW).map(([name, { label }]) => [name, label])));
  #value = element("input", { value: HOW.status.value, required: true, inputmode: "numeric", "aria-label": "Code or seconds" });
  #form;
  #clear;

  /** Takes the button that opens it, which says how many faults are set. */
  constructor(source, pane, tool, tried) {
    this.#source = source;
    this.#pane = pane;
    this.#tool = tool;
    this.#form = element("form", { class: "fault", onsubmit: (event) => (event.preventDefault(), tried(() => this.#add())()) },
      this.#amount, this.#of, this.#how, this.#value,
      element("button", { class: "primary" }, "Add fault"),
    );
    this.#clear = button({ class: "copy", onclick: tried(() => this.#clearAll()) }, "Clear all faults");
    this.#of.addEventListener("change", () => this.#fit());
    this.#how.addEventListener("change", () => this.#fit(true));
    this.#draw();
  }

  /** Shows the panel. */
  show() {
    this.#pane.show("Faults", this.#clear, this.#form, this.#set, element("p", { class: "nothing" },
      "Messages to test numbers fail without a fault: +999 1 000 0068 is refused with -68. itnio-sandbox --help lists them."));
    this.refresh();
  }

  /** Asks what is set; with `always: false` only if requests may have changed it, or it can be seen. */
  async refresh({ always = true } = {}) {
    if (!always && !this.#faults.next.length && !this.#set.isConnected) return;
    this.#faults = await this.#source.faults();
    this.#draw();
  }

  get #count() {
    return this.#faults.next.length + this.#faults.random.length;
  }

  #draw() {
    const { next, random } = this.#faults;
    const lines = [...next.map(ofFault), ...random.map(ofShare)];
    this.#set.replaceChildren(...(lines.length ? lines : ["No faults are set: all good messages are accepted."]).map((line) => element("li", { dir: "auto" }, line)));
    const name = this.#count ? `Faults: ${this.#count} active` : "Faults";
    this.#tool.setAttribute("aria-label", name);
    this.#tool.title = name;
    this.#tool.classList.toggle("is-set", this.#count > 0);
    this.#clear.disabled = !this.#count;
  }

  /** Lets only those ways be chosen that there are, and a value be given where there is one. */
  #fit(anew = false) {
    const isShare = this.#of.value === "random";
    for (const option of this.#how.options) option.disabled = isShare && !HOW[option.value].share;
    if (this.#how.selectedOptions[0]?.disabled !== false) [this.#how.value, anew] = ["status", true];
    const { value } = HOW[this.#how.value];
    this.#value.hidden = this.#value.disabled = value === undefined;
    if (anew) this.#value.value = value ?? "";
  }

  async #add() {
    const [amount, value] = [this.#amount.value, this.#value.value.trim()];
    const { fault, share } = HOW[this.#how.value];
    if (this.#of.value === "next") await this.#source.addFault({ count: Number(amount), ...fault(value) });
    else await this.#source.setRandomFailures([...this.#faults.random, `${amount}%:${share(value)}`]);
    await this.refresh();
  }

  async #clearAll() {
    await this.#source.clearFaults();
    await this.refresh();
  }
}

function select(label, options) {
  return element("select", { "aria-label": label }, Object.entries(options).map(([value, text]) => element("option", { value }, text)));
}

function ofFault({ count, path, recipient, ...fault }) {
  const whose = [recipient && `to ${recipient}`, path && `on ${path}`].filter(Boolean).join(" ");
  const what = Object.entries(fault).map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`);
  return `${count === 1 ? "The next request" : `The next ${count} requests`}${whose && ` ${whose}`}: ${what.join(", ")}`;
}

function ofShare(share) {
  const [percent, how] = share.split(":");
  return `${percent} of all messages: ${how}`;
}
