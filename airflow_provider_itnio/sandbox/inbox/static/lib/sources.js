// Where the inbox comes from: the sandbox that runs, or what a saved page holds.

import { FAILURES } from "./model.js";

const AGAIN = 2000;

/** Follows a running sandbox, for as long as the page is looked at. */
export class RunningSandbox {
  #last = "";
  #opened;
  #listener;

  /**
   * Lets `listener` load what is kept, then tells it of `items` and `state`. It loads anew when the inbox is
   * cleared, the sandbox restarted, or so much was missed that this is shorter.
   */
  follow(listener) {
    this.#listener = listener;
    this.#open();
    // A browser keeps six connections to one host: pages in the background must not hold them.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", () => this.#open());
  }

  // The conversations that hold the words `q`, the one that was last written in first, with all counts.
  conversations = (asked) => ask(`/sandbox/conversations?${parameters(asked)}`);

  // A part of what stands in a chat, or of the failed requests.
  items = (of, asked) => ask(`/sandbox/${of === FAILURES ? "failures" : `conversations/${of}/items`}?${parameters(asked)}`);

  // All that is known of an exchange.
  open = (number) => ask(`/sandbox/exchanges/${number}`);

  answer = (reply) => post("/sandbox/replies", reply);
  webhook = async () => (await ask("/sandbox/webhook")).url;
  connection = () => ask("/sandbox/connection");
  clear = () => ask("/sandbox/messages", { method: "DELETE" });

  /** Gives the message or reply with an id, or the failed request with a number; undefined if none is kept. */
  async find(id) {
    return ask(`/sandbox/${/^\d{1,15}$/.test(id) ? "exchanges" : "messages"}/${encodeURIComponent(id)}`).catch((error) => {
      if (error.status !== 404) throw error;
    });
  }

  /** Sends a message to the vendor's endpoint, as a task would. */
  async sendTest() {
    const { path, headers, body } = await ask("/sandbox/test-message");
    const { status, reason } = await ask(path, { method: "POST", headers, body: JSON.stringify(body) });
    if (status !== "0") throw new Error(`the answer was ${status}: ${reason}`);
  }

  /** Gives the faults that are set: those of the next requests, and shares of all messages. */
  async faults() {
    const [next, { fail }] = await Promise.all([ask("/sandbox/faults"), ask("/sandbox/random-failures")]);
    return { next, random: fail };
  }

  addFault = (fault) => post("/sandbox/faults", fault);
  setRandomFailures = (fail) => post("/sandbox/random-failures", { fail });

  async clearFaults() {
    await ask("/sandbox/faults", { method: "DELETE" });
    await this.setRandomFailures([]);
  }

  async #open() {
    if (this.#opened) return;
    const opened = (this.#opened = {});
    try {
      const last = this.#last || (await this.#listener.load());
      if (opened !== this.#opened) return;
      this.#last = last;
    } catch {
      if (opened === this.#opened) this.#openAgain();
      return;
    }
    const events = (opened.events = new EventSource(`/sandbox/events?after=${encodeURIComponent(this.#last)}`));
    events.onopen = () => this.#listener.state("live");
    events.onerror = () => {
      this.#listener.state("lost");
      // A browser gives up after an answer that is no stream, such as that of another server on this port.
      if (events.readyState === EventSource.CLOSED && this.#opened === opened) this.#openAgain();
    };
    events.addEventListener("items", ({ lastEventId, data }) => {
      this.#last = lastEventId;
      this.#listener.items(JSON.parse(data));
    });
    events.addEventListener("clear", () => {
      this.#last = "";
      this.#close();
      this.#open();
    });
  }

  #openAgain() {
    this.#listener.state("lost");
    this.#close();
    setTimeout(() => this.#open(), AGAIN);
  }

  #close() {
    this.#opened?.events?.close();
    this.#opened = undefined;
  }
}

/** Reads what was saved in the page itself. */
export class SavedInbox {
  #exchanges;

  constructor(text) {
    this.#exchanges = JSON.parse(text).exchanges;
  }

  async follow(listener) {
    await listener.load();
    listener.state("saved");
  }

  async conversations({ q, chat }) {
    const found = this.#found(q);
    const failures = found.filter(({ kind }) => kind === "failure");
    const chats = Map.groupBy(found.toReversed(), (one) => one.chat);
    chats.delete("");
    const all = this.#exchanges.filter((one) => one.chat === chat);
    return {
      cursor: "saved.0",
      totals: { ...counts(this.#exchanges), conversations: chats.size },
      oldest: { message: 0, reply: 0, failure: 0 },
      failures: { count: failures.length, last: failures.at(-1)?.failure },
      chat: { number: chat, found: chats.get(chat)?.length ?? 0, ...counts(all) },
      conversations: [...chats.entries()].map(([number, [{ number: last, kind, message, reply, failure }]]) => ({
        number,
        ...counts(chats.get(number)),
        failed: chats.get(number).filter((one) => one.has_trouble).length,
        last: { ...(message ?? reply ?? { ...failure, text: failure.why || failure.meaning }), number: last, kind },
      })),
      next: null,
    };
  }

  async items(of, { q, before, after = 0, limit }) {
    const isHere = ({ kind, chat, number }) => (of === FAILURES ? kind === "failure" : chat === of) && number < (before ?? Infinity) && number > after;
    const all = this.#found(q).filter(isHere);
    const items = after ? all.slice(0, limit) : all.slice(-limit);
    const more = all.length > items.length;
    return { items, before: more && !after ? items[0].number : null, after: more && after ? items.at(-1).number : null };
  }

  async find(id) {
    return this.#exchanges.find(({ number, message, reply }) => (message ?? reply ?? { id: String(number) }).id === id);
  }

  async open(number) {
    return this.#exchanges.find((one) => one.number === number);
  }

  #found(q) {
    const wanted = q.toLowerCase();
    // Numbers are found as people write them.
    const digits = /^[+\d\s().-]+$/.test(wanted) ? wanted.replace(/\D/g, "") : "";
    return this.#exchanges.filter(({ searched }) => searched.includes(wanted) || (digits.length > 2 && searched.includes(digits)));
  }
}

function counts(exchanges) {
  const count = (kind) => exchanges.filter((one) => one.kind === kind).length;
  return { messages: count("message"), replies: count("reply"), failures: count("failure") };
}

const parameters = (asked) => new URLSearchParams(Object.entries(asked).filter(([, value]) => value));

const post = (path, given) => ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(given) });

async function ask(path, options) {
  const response = await fetch(path, options).catch(() => {
    throw new Error("the sandbox does not answer");
  });
  if (response.ok) return response.status === 204 ? undefined : response.json();
  const { error } = await response.json().catch(() => ({}));
  throw Object.assign(new Error(error ?? `the sandbox answered HTTP ${response.status}`), { status: response.status });
}
