// The sources of the inbox: a running sandbox, or the data in a saved page.

import { FAILURES } from "./model.js";

const AGAIN = 2000;

/** Returns the running sandbox as a source; its events are read while the page is visible. */
export function runningSandbox() {
  let last = "";
  let opened;
  let listener;
  const setRandomFailures = (fail) => post("/sandbox/random-failures", { fail });
  return {
    follow,
    // The conversations that contain the words `q`, the most recent first, with all counts.
    conversations: (asked) => ask(`/sandbox/conversations?${parameters(asked)}`),
    // A part of a chat or of the failed requests.
    items: (of, asked) => ask(`/sandbox/${of === FAILURES ? "failures" : `conversations/${of}/items`}?${parameters(asked)}`),
    find,
    // All data of an exchange.
    open: (number) => ask(`/sandbox/exchanges/${number}`),
    answer: (reply) => post("/sandbox/replies", reply),
    webhook: async () => (await ask("/sandbox/webhook")).url,
    connection: () => ask("/sandbox/connection"),
    clear: () => ask("/sandbox/messages", { method: "DELETE" }),
    sendTest,
    faults,
    addFault: (fault) => post("/sandbox/faults", fault),
    setRandomFailures,
    clearFaults: () => Promise.all([ask("/sandbox/faults", { method: "DELETE" }), setRandomFailures([])]),
  };

  /**
   * Lets the listener load the lists, then passes `items` and `state` to it. It reloads the lists when the inbox is
   * cleared, the sandbox was restarted, or too many changes were missed.
   */
  function follow(newListener) {
    listener = newListener;
    open();
    // A browser opens at most six connections to one host: pages in the background must not occupy them.
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
  }

  /** Returns the message or reply with an id, or the failed request with a number; undefined if there is none. */
  async function find(id) {
    return ask(`/sandbox/${/^\d{1,15}$/.test(id) ? "exchanges" : "messages"}/${encodeURIComponent(id)}`).catch((error) => {
      if (error.status !== 404) throw error;
    });
  }

  /** Sends a message to the vendor's endpoint, as a task would. */
  async function sendTest() {
    const { path, headers, body } = await ask("/sandbox/test-message");
    const { status, reason } = await ask(path, { method: "POST", headers, body: JSON.stringify(body) });
    if (status !== "0") throw new Error(`the answer was ${status}: ${reason}`);
  }

  /** Returns the faults that are set: of the next requests, and the shares of messages that fail at random. */
  async function faults() {
    const [next, { fail }] = await Promise.all([ask("/sandbox/faults"), ask("/sandbox/random-failures")]);
    return { next, random: fail };
  }

  async function open() {
    if (opened) return;
    const mine = (opened = {});
    try {
      const loaded = last || (await listener.load());
      if (opened !== mine) return;
      last = loaded;
    } catch {
      if (opened === mine) openAgain();
      return;
    }
    const events = (mine.events = new EventSource(`/sandbox/events?after=${encodeURIComponent(last)}`));
    events.onopen = () => listener.state("live");
    events.onerror = () => {
      listener.state("lost");
      // A browser stops after an answer that is not a stream, such as that of another server on this port.
      if (events.readyState === EventSource.CLOSED && opened === mine) openAgain();
    };
    events.addEventListener("items", ({ lastEventId, data }) => {
      last = lastEventId;
      listener.items(JSON.parse(data));
    });
    events.addEventListener("clear", () => {
      last = "";
      close();
      open();
    });
  }

  function openAgain() {
    listener.state("lost");
    close();
    setTimeout(open, AGAIN);
  }

  function close() {
    opened?.events?.close();
    opened = undefined;
  }
}

/** Returns the data in a saved page as a source. */
export function savedInbox(text) {
  const { exchanges } = JSON.parse(text);
  return {
    follow: (listener) => listener.load().then(() => listener.state("saved")),
    conversations,
    items,
    find: async (id) => exchanges.find(({ number, message, reply }) => (message ?? reply ?? { id: String(number) }).id === id),
    open: async (number) => exchanges.find((one) => one.number === number),
  };

  async function conversations({ q, chat }) {
    const all = found(q);
    const failures = all.filter(({ kind }) => kind === "failure");
    const chats = Map.groupBy(all.toReversed(), (one) => one.chat);
    chats.delete("");
    return {
      cursor: "saved.0",
      totals: { ...counts(exchanges), conversations: chats.size },
      oldest: { message: 0, reply: 0, failure: 0 },
      failures: { count: failures.length, last: failures.at(-1)?.failure },
      chat: { number: chat, found: chats.get(chat)?.length ?? 0, ...counts(exchanges.filter((one) => one.chat === chat)) },
      conversations: [...chats.entries()].map(([number, [{ number: last, kind, message, reply, failure }]]) => ({
        number,
        ...counts(chats.get(number)),
        failed: chats.get(number).filter((one) => one.has_trouble).length,
        last: { ...(message ?? reply ?? { ...failure, text: failure.why || failure.meaning }), number: last, kind },
      })),
      next: null,
    };
  }

  async function items(of, { q, before, after = 0, limit }) {
    const isHere = ({ kind, chat, number }) => (of === FAILURES ? kind === "failure" : chat === of) && number < (before ?? Infinity) && number > after;
    const all = found(q).filter(isHere);
    const part = after ? all.slice(0, limit) : all.slice(-limit);
    const more = all.length > part.length;
    return { items: part, before: more && !after ? part[0].number : null, after: more && after ? part.at(-1).number : null };
  }

  function found(q) {
    const wanted = q.toLowerCase();
    // Phone numbers are found in any spelling.
    const digits = /^[+\d\s().-]+$/.test(wanted) ? wanted.replace(/\D/g, "") : "";
    return exchanges.filter(({ searched }) => searched.includes(wanted) || (digits.length > 2 && searched.includes(digits)));
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
