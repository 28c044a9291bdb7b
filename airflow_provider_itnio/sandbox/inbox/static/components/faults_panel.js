// Faults: the next answers, and the shares of messages that fail at random.

import { button, element } from "../lib/dom.js";

const TITLE = "Faults";

// Each with its default value, the JSON to post, and its name on the command line.
const HOW = {
  status: { label: "refused with the code", value: "-12", fault: (value) => ({ status: value }), share: (value) => value },
  http: { label: "answered by HTTP", value: "503", fault: (value) => ({ http_status: Number(value) }), share: (value) => value },
  before: { label: "dropped, not accepted", fault: () => ({ drop: "before_accepting" }), share: () => "drop" },
  after: { label: "accepted, then dropped", fault: () => ({ drop: "after_accepting" }) },
  late: { label: "late by seconds", value: "5", fault: (value) => ({ delay: Number(value) }) },
};

/** Shows the faults of a sandbox in the right pane, and sets and clears them by its API; `opener` shows their number. */
export function makeFaultsPanel(source, pane, opener, tried) {
  let faults = { next: [], random: [] };
  let asked = { amount: "1", of: "next", how: "status", value: HOW.status.value };
  const isShown = () => pane.title === TITLE;
  drawAll();
  return { show, refresh };

  function show() {
    const { amount, of, how, value } = asked;
    const set = [...faults.next.map(ofFault), ...faults.random.map(ofShare)];
    const lines = set.length ? set : ["No faults are set: all good messages are accepted."];
    const ways = Object.entries(HOW).filter(([, { share }]) => of === "next" || share).map(([name, { label }]) => [name, label]);
    pane.show(TITLE, TITLE,
      button({ class: "copy", disabled: !set.length, onclick: tried(() => source.clearFaults().then(refresh)) }, "Clear all faults"),
      element("form", { class: "fault", oninput: ({ target }) => ask(target), onsubmit: tried(add) },
        element("input", { type: "number", min: "0", step: "any", required: true, name: "amount", value: amount, "aria-label": "How many" }),
        select("of", "Of what", of, [["next", "of the next requests"], ["random", "% of all messages"]]),
        select("how", "What happens", how, ways),
        HOW[how].value && element("input", { required: true, inputmode: "numeric", name: "value", value, "aria-label": "Code or seconds" }),
        element("button", { class: "primary" }, "Add fault"),
      ),
      element("ul", { class: "set" }, lines.map((line) => element("li", { dir: "auto" }, line))),
      element("p", { class: "nothing" },
        "Messages to test numbers fail without a fault: +999 1 000 0068 is refused with -68. itnio-sandbox --help lists them."),
    );
  }

  /** Loads the faults; with `always: false` only if requests may have changed them, or they are visible. */
  async function refresh({ always = true } = {}) {
    if (!always && !faults.next.length && !isShown()) return;
    faults = await source.faults();
    drawAll();
  }

  function drawAll() {
    const count = faults.next.length + faults.random.length;
    opener.ariaLabel = opener.title = count ? `Faults: ${count} active` : TITLE;
    opener.classList.toggle("is-set", count > 0);
    if (isShown()) show();
  }

  /** Applies a choice; if it is not available for shares of messages, selects another one. */
  function ask({ name, value }) {
    const before = asked.how;
    asked = { ...asked, [name]: value };
    if (asked.of === "random" && !HOW[asked.how].share) asked.how = "status";
    if (asked.how !== before) asked.value = HOW[asked.how].value;
    show();
  }

  async function add(event) {
    event.preventDefault();
    const { amount, of, how, value = "" } = asked;
    const { fault, share } = HOW[how];
    if (of === "next") await source.addFault({ count: Number(amount), ...fault(value.trim()) });
    else await source.setRandomFailures([...faults.random, `${amount}%:${share(value.trim())}`]);
    await refresh();
  }
}

function select(name, label, value, options) {
  return element("select", { name, value, "aria-label": label }, options.map(([key, text]) => element("option", { key, value: key }, text)));
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
