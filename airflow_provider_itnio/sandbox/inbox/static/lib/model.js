// The loaded data of the inbox: summaries of the conversations, one chat and the failed requests.

import { textAt } from "./reading.js";

export const FAILURES = "refused";

const A_PAGE = 100;
const ROWS = 300;
// Milliseconds between two reloads; changes in between are loaded and drawn together.
const REFRESH_EVERY = 500;

/** A contiguous part of a chat or of the failed requests, oldest first. */
class Part {
  entries = [];
  before = null; // the number before which there are older entries
  after = null; // the number after which there are entries that are not loaded
  unseen = 0; // new entries that the user has not seen
  #heard = 0;
  #store;
  #ask;

  constructor(source, of, q, store) {
    this.of = of;
    this.query = q;
    this.#store = store;
    this.#ask = (asked) => source.items(of, { q, ...asked });
  }

  /** Loads the end, or the entries around a number. */
  async begin(number) {
    if (!number) return this.earlier();
    await this.earlier(A_PAGE / 2, number + 1);
    await this.later(A_PAGE / 2);
  }

  /** Loads entries before the loaded ones. */
  async earlier(limit = A_PAGE, from = this.before) {
    const { items, before } = await this.#ask({ before: from, limit });
    this.before = before;
    this.entries.unshift(...this.#read(items));
  }

  /** Loads entries after the loaded ones. */
  async later(limit = A_PAGE) {
    const last = this.entries.at(-1);
    if (!last) return this.earlier();
    const { items, after } = await this.#ask({ after: last.number, limit });
    this.after = after;
    this.entries.push(...this.#read(items));
  }

  /** Loads new entries that match the search. */
  async refresh() {
    const known = this.entries.length;
    if (this.after === null) do await this.later(); while (this.after !== null);
    this.unseen += this.entries.length - known;
  }

  /** Adds a new entry, or only counts it if the entries before it are not loaded. */
  add(items) {
    const last = Math.max(this.#heard, this.entries.at(-1)?.number ?? 0);
    const isHere = ({ kind, of, number }) => number > last && (this.of === FAILURES ? kind === "failure" : of === this.of);
    const entries = this.#read(items).filter(isHere);
    this.unseen += entries.length;
    this.#heard = entries.at(-1)?.number ?? last;
    if (this.after === null) this.entries.push(...entries);
  }

  /** Updates the status of a message. */
  change({ status, reply }) {
    const entry = this.find(status?.id ?? reply?.answers);
    if (status && entry) Object.assign(entry.data, status);
    if (typeof reply?.choice === "string" && entry) entry.chosen = reply.choice;
  }

  find(id) {
    return this.entries.find((entry) => entry.id === id);
  }

  /** Drops the oldest entries except a number of them. */
  trim(limit) {
    if (this.entries.length <= limit) return;
    this.entries = this.entries.slice(-limit);
    this.before = this.entries[0].number;
  }

  #read(items) {
    return items.filter(({ number }) => number).map((item) => entryOf(item, this.#store));
  }
}

/** The data of the page. It loads one list at a time, so that an old answer never replaces a newer one. */
export class Inbox {
  list;
  query = "";
  named; // the entry in the page's address, if the address has no chat
  #chat;
  #failures;
  #place = { of: "", id: "" };
  #rows = ROWS;
  #quoted = new Map();
  #news = [];
  #begun = false;
  #waits = false;
  #refreshed = 0;
  #behind = false;
  #turn = Promise.resolve();
  #source;
  #changed;

  /** Takes the source of the data, and a function to call after each change. */
  constructor(source, changed) {
    this.#source = source;
    this.#changed = changed;
  }

  /** Reloads everything, and returns the position from which to read events. */
  load() {
    this.#begun = true;
    return this.#inTurn(() => {
      this.#news = [];
      return this.#load({ anew: true });
    });
  }

  /** Loads a chat or the failed requests, around the entry with an id if there is one. */
  show(of, id) {
    this.#place = { of, id };
    return this.#begun ? this.#inTurn(() => this.#load()) : undefined;
  }

  /** Loads the entries that contain some words. */
  search(query) {
    this.query = query.trim();
    this.#rows = ROWS;
    return this.#inTurn(() => this.#load());
  }

  /** Loads the end of the chat that is shown. */
  toEnd() {
    this.#place.id = "";
    return this.#inTurn(() => this.#load({ anew: true }));
  }

  /** Loads entries "before" or "after" the loaded part of a chat or of the failed requests. */
  more(part, side) {
    return this.#inTurn(() => part === this.partOf(part.of) && part[side] !== null && (side === "before" ? part.earlier() : part.later()));
  }

  /** Loads more conversations. */
  moreRows() {
    this.#rows += ROWS;
    return this.#inTurn(() => this.#load());
  }

  /** Applies events of the sandbox: new entries and changes. */
  hear(items) {
    this.#news.push(...items);
    if (this.#waits) return;
    this.#waits = true;
    const refresh = () => this.#inTurn(() => this.#refresh()).catch(() => undefined);
    setTimeout(refresh, this.#refreshed + REFRESH_EVERY - performance.now());
  }

  /** Loads what could not be loaded while the sandbox was unreachable. */
  catchUp() {
    if (this.#behind) this.load().catch(() => undefined);
  }

  /** Returns the loaded part of a chat or of the failed requests. */
  partOf(of) {
    return this.#parts.find((part) => part.of === of && part.query === this.query);
  }

  /** Returns the message or reply with an id; one that is not loaded is searched for. */
  find(id) {
    const known = this.#chat?.find(id) ?? this.#quoted.get(id);
    if (!known && !this.#quoted.has(id)) this.#findQuoted(id, this.#store);
    this.#quoted.set(id, known);
    return known && this.keeps(known) ? known : undefined;
  }

  /** Returns whether the sandbox still stores an entry. */
  keeps = ({ store, kind, number }) => store === this.#store && number >= this.list.oldest[kind];

  /** Returns the counts of a chat: its entries, and those found by the search. */
  counts(of) {
    const { chat } = this.list;
    return chat?.number === of ? chat : { messages: 0, replies: 0, failures: 0, found: 0 };
  }

  /** Returns whether the 24-hour window of a chat is open, and until when if that is known. */
  window(of) {
    const { window_until: given } = this.counts(of);
    const until = given && new Date(given);
    return { until, isOpen: until ? until > new Date() : this.list.open_windows };
  }

  get #store() {
    return this.list && storeOf(this.list);
  }

  get #parts() {
    return [this.#chat, this.#failures].filter(Boolean);
  }

  async #load({ anew = false } = {}) {
    const { of, id } = this.#place;
    const list = await this.#conversations();
    const store = storeOf(list);
    const held = anew ? undefined : this.partOf(of);
    const found = id && !held?.find(id) ? await this.#source.find(id) : undefined;
    const part = held && !found ? held : new Part(this.#source, of, this.query, store);
    if (of && part !== held) await part.begin(found?.number);
    if (anew) this.#chat = this.#failures = undefined;
    if (store !== this.#store) this.#quoted.clear();
    this.list = list;
    if (of === FAILURES) this.#failures = part;
    else if (of) this.#chat = part;
    this.named = found && { id, of: entryOf(found).of || FAILURES };
    this.#behind = false;
    return list.cursor;
  }

  async #refresh() {
    this.#waits = false;
    this.#refreshed = performance.now();
    const news = this.#news;
    this.#news = [];
    if (this.#behind) return this.#load({ anew: true });
    const list = await this.#conversations();
    for (const part of this.#parts) await (part.query ? part.refresh() : part.add(news));
    this.list = list;
    for (const part of this.#parts) part.entries = part.entries.filter((entry) => this.keeps(entry));
    for (const one of news) this.#chat?.change(one);
  }

  /** Returns the conversations that are shown. */
  async #conversations() {
    const asked = { chat: this.#place.of === FAILURES ? "" : this.#place.of, q: this.query };
    const list = await this.#source.conversations(asked);
    while (list.next && list.conversations.length < this.#rows) {
      const { conversations, next } = await this.#source.conversations({ ...asked, before: list.next });
      list.conversations.push(...conversations);
      list.next = next;
    }
    return list;
  }

  async #findQuoted(id, store) {
    const found = await this.#source.find(id).catch(() => undefined);
    if (!found || store !== this.#store) return;
    this.#quoted.set(id, entryOf(found, store));
    this.#changed();
  }

  async #inTurn(work) {
    const before = this.#turn;
    this.#turn = (async () => {
      await before.catch(() => undefined);
      try {
        return await work();
      } catch (error) {
        this.#behind = true;
        throw error;
      } finally {
        this.#changed();
      }
    })();
    return this.#turn;
  }
}

/** Returns the name of a list's sandbox: another sandbox numbers its entries from 1 again. */
const storeOf = ({ cursor }) => cursor.split(".")[0];

/** Creates an entry from an item; `store` is the name of its sandbox. */
function entryOf({ number, message, reply, failure, chosen }, store) {
  const data = message ?? reply ?? failure;
  return {
    kind: message ? "message" : reply ? "reply" : "failure",
    number,
    store,
    of: data.recipient ?? data.sender,
    at: new Date(data.at),
    id: data.id ?? String(number),
    words: data.text,
    answers: textAt(data, "answers") || textAt(data, "body", "context", "refMessageId"),
    data,
    failure: message && failure,
    chosen,
  };
}
