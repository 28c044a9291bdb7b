// What the inbox holds: conversations with messages and replies, and requests that failed.

import { textsIn } from "./reading.js";

// Longer than the five minutes after which Airflow tries a task again.
const DUPLICATE_WITHIN = 10 * 60 * 1000;

/** The last `keep` messages, replies and failures, and what changed since it was last drawn. */
export class Inbox {
  keep = 1000;
  openWindows = false;
  windows = new Map();
  conversations = new Map();
  byId = new Map();
  #kept = { message: [], reply: [], failure: [] };

  /** The requests that failed, oldest first. */
  get failures() {
    return this.#kept.failure;
  }

  /** Forgets everything. */
  clear() {
    this.conversations.clear();
    this.byId.clear();
    this.windows.clear();
    this.#kept = { message: [], reply: [], failure: [] };
  }

  /** Takes items as the sandbox tells them, in their order: what came, and what changed of it. */
  add(items) {
    for (const { number, message, reply, failure, status, window } of items) {
      if (status) Object.assign(this.byId.get(status.id)?.data ?? {}, { status: status.status, failure: status.failure });
      if (window) this.windows.set(window.recipient, new Date(window.until));
      if (message) this.#add({ kind: "message", number, of: message.recipient, at: new Date(message.at), ...ids(message), data: message, failure });
      if (reply) this.#add({ kind: "reply", number, of: reply.sender, at: new Date(reply.at), ...ids(reply), data: reply });
      if (failure && !message) this.#add({ kind: "failure", number, of: failure.recipient, at: new Date(failure.at), ...ids({ ...failure, id: String(number) }), data: failure });
    }
  }

  /** Tells whether the 24-hour window of a number is open, and until when if that is known. */
  windowOf(number) {
    const until = this.windows.get(number);
    return { until, isOpen: until ? until > new Date() : this.openWindows };
  }

  /** Gives the conversations, the one that was last written in first. */
  latestFirst() {
    return [...this.conversations.values()].reverse();
  }

  #add(entry) {
    if (entry.of) this.#converse(entry);
    if (entry.kind !== "failure") this.byId.set(entry.id, entry);
    const kept = this.#kept[entry.kind];
    kept.push(entry);
    while (kept.length > this.keep) this.#forget(kept.shift());
  }

  #converse(entry) {
    const conversation = this.conversations.get(entry.of) ?? { number: entry.of, entries: [], latest: new Map() };
    // A map keeps the order in which its keys were set, so the last written one stands last.
    this.conversations.delete(entry.of);
    this.conversations.set(entry.of, conversation);
    conversation.entries.push(entry);
    if (entry.kind !== "message") return;
    const body = JSON.stringify(entry.data.body);
    const before = conversation.latest.get(body);
    if (before && entry.at - before.at < DUPLICATE_WITHIN) entry.duplicates = before.at;
    conversation.latest.set(body, entry);
  }

  #forget(entry) {
    if (entry.kind !== "failure") this.byId.delete(entry.id);
    if (!entry.of) return;
    const { entries, latest } = this.conversations.get(entry.of);
    entries.splice(entries.indexOf(entry), 1);
    if (!entries.length) this.conversations.delete(entry.of);
    const body = entry.kind === "message" && JSON.stringify(entry.data.body);
    if (latest.get(body) === entry) latest.delete(body);
  }
}

function ids({ id, text }) {
  return { id, words: text };
}

/** Gives the texts of an entry itself, not those of its envelope, which all share. */
function searched({ kind, data }) {
  if (kind === "message") return [data.text, ...textsIn(data.body[data.type])];
  if (kind === "reply") return [data.text, data.choice, data.answers];
  return [data.recipient, data.text, data.why, data.meaning, data.status ?? data.http_status];
}

/** Makes the test that a search is: whether an entry holds the words, in its text, number or id. */
export function search(query) {
  const wanted = query.trim().toLowerCase();
  // Numbers are found as people write them.
  const digits = /^[+\d\s().-]+$/.test(wanted) ? wanted.replace(/\D/g, "") : "";
  return (entry) => {
    entry.haystack ??= [entry.of, entry.id, ...searched(entry)].join("\n").toLowerCase();
    return entry.haystack.includes(wanted) || (digits.length > 2 && entry.haystack.includes(digits));
  };
}
