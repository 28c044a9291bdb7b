// What is loaded of the inbox: the conversations in short, one chat and the failed requests.

import { textAt } from "./reading.js";

export const FAILURES = "refused";

const A_PAGE = 100;
const ROWS = 300;
// What comes meanwhile is loaded and drawn together.
const REFRESH_EVERY = 500;

/** A stretch of a chat or of the failed requests, oldest first, without a gap. */
class Part {
  entries = [];
  before = null; // older ones are kept
  after = null; // newer ones are kept that are not loaded
  unseen = 0; // of what came since
  #newest = 0;
  #store;
  #ask;

  constructor(source, of, q, store) {
    this.of = of;
    this.query = q;
    this.#store = store;
    this.#ask = (asked) => source.items(of, { q, ...asked });
  }

  /** Loads the end, or what stands around a number. */
  async begin(number) {
    const limit = A_PAGE / 2;
    const [older, newer] = number
      ? await Promise.all([this.#ask({ before: number + 1, limit }), this.#ask({ after: number, limit })])
      : [await this.#ask({ limit: A_PAGE }), { items: [], after: null }];
    this.before = older.before;
    this.#append(newer, this.#read(older.items));
    return this;
  }

  /** Loads the page before what is loaded. */
  async earlier() {
    const { items, before } = await this.#ask({ before: this.before, limit: A_PAGE });
    this.before = before;
    this.entries = [...this.#read(items), ...this.entries];
  }

  /** Loads the page after what is loaded. */
  async later() {
    const last = this.entries.at(-1)?.number;
    if (!last) await this.begin();
    else this.#append(await this.#ask({ after: last, limit: A_PAGE }), this.entries);
  }

  /** Loads what a search finds in what came since. */
  async refresh() {
    if (this.after !== null) return;
    const known = this.entries.length;
    do await this.later();
    while (this.after !== null);
    this.unseen += this.entries.length - known;
  }

  /** Takes what came, or only counts it while what stands before it is not loaded. */
  add(items) {
    const isHere = ({ kind, of, number }) => number > this.#newest && (this.of === FAILURES ? kind === "failure" : of === this.of);
    const entries = this.#read(items).filter(isHere);
    this.unseen += entries.length;
    this.#newest = entries.at(-1)?.number ?? this.#newest;
    if (this.after === null) this.entries.push(...entries);
  }

  find(id) {
    return this.entries.find((entry) => entry.id === id);
  }

  /** Takes what has become of a message. */
  change({ status, reply }) {
    const entry = this.find(status?.id ?? reply?.answers);
    if (status && entry) Object.assign(entry.data, status);
    if (typeof reply?.choice === "string" && entry) entry.chosen = reply.choice;
  }

  /** Forgets the oldest but for so many. */
  trim(limit) {
    if (this.entries.length <= limit) return;
    this.entries = this.entries.slice(-limit);
    this.before = this.entries[0].number;
  }

  #append({ items, after }, entries) {
    this.after = after;
    this.entries = [...entries, ...this.#read(items)];
    this.#newest = Math.max(this.#newest, this.entries.at(-1)?.number ?? 0);
  }

  #read(items) {
    return items.filter(({ number }) => number).map((item) => entryOf(item, this.#store));
  }
}

/** What the page shows. It loads one thing after the other, so that nothing older is taken for the latest. */
export class Inbox {
  list;
  query = "";
  chat;
  failures;
  named;
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

  /** Takes where it is loaded from, and what to call after each change. */
  constructor(source, changed) {
    this.#source = source;
    this.#changed = changed;
  }

  /** Loads everything anew, and gives the place from which the stream of events goes on. */
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
    return this.#begun ? this.#inTurn(() => this.#load({})) : undefined;
  }

  /** Loads what holds some words. */
  search(query) {
    this.query = query.trim();
    this.#rows = ROWS;
    return this.#inTurn(() => this.#load({}));
  }

  /** Loads the end of the chat that is shown. */
  toEnd() {
    this.#place.id = "";
    return this.#inTurn(() => this.#load({ anew: true }));
  }

  /** Loads the page before or after what is loaded of a chat or of the failed requests. */
  more(part, side) {
    return this.#inTurn(() => (part === this.partOf(part.of) && part[side === "earlier" ? "before" : "after"] !== null ? part[side]() : undefined));
  }

  /** Loads more conversations. */
  moreRows() {
    this.#rows += ROWS;
    return this.#inTurn(() => this.#load({}));
  }

  /** Takes what the sandbox tells: what came, and what changed of it. */
  hear(items) {
    this.#news.push(...items);
    if (this.#waits || !this.#news.length) return;
    this.#waits = true;
    setTimeout(() => this.#inTurn(() => this.#refresh()).catch(() => undefined), Math.max(0, this.#refreshed + REFRESH_EVERY - performance.now()));
  }

  /** Loads what could not be loaded while the sandbox was away. */
  catchUp() {
    if (this.#behind) this.#inTurn(() => this.#load({})).catch(() => undefined);
    else this.hear([]);
  }

  /** Gives what is loaded of a chat or of the failed requests. */
  partOf(of) {
    return [this.chat, this.failures].find((part) => part && part.of === of && part.query === this.query);
  }

  /** Gives the message or reply with an id; if it is not loaded, it is once it is found. */
  find(id) {
    const known = this.chat?.find(id) ?? this.#quoted.get(id);
    const isNew = !this.#quoted.has(id);
    this.#quoted.set(id, known);
    if (!known && isNew) this.#findQuoted(id, this.#store);
    return known && this.keeps(known) ? known : undefined;
  }

  /** Tells whether the sandbox still keeps an entry. */
  keeps({ store, kind, number }) {
    return store === this.#store && number >= this.list.oldest[kind];
  }

  /** Tells whether the 24-hour window of the chat is open, and until when if that is known. */
  get window() {
    const { chat } = this.list;
    const until = chat?.number === this.chat.of && chat.window_until ? new Date(chat.window_until) : undefined;
    return { until, isOpen: until ? until > new Date() : this.list.open_windows };
  }

  get #store() {
    return this.list && storeOf(this.list);
  }

  async #load({ anew }) {
    const { of, id } = this.#place;
    const list = await this.#conversations();
    const store = storeOf(list);
    const held = anew ? undefined : this.partOf(of);
    const found = id && !held?.find(id) ? await this.#source.find(id) : undefined;
    const part = of && (!held || found) ? await new Part(this.#source, of, this.query, store).begin(found?.number) : held;
    if (anew) this.chat = this.failures = undefined;
    if (store !== this.#store) this.#quoted.clear();
    this.list = list;
    if (part) this[of === FAILURES ? "failures" : "chat"] = part;
    this.named = found && { id, of: entryOf(found).of || FAILURES };
    this.#behind = false;
    return list.cursor;
  }

  async #refresh() {
    this.#waits = false;
    const news = this.#news;
    this.#news = [];
    const parts = [this.chat, this.failures].filter(Boolean);
    try {
      const list = await this.#conversations();
      for (const part of parts) if (part.query) await part.refresh();
      this.list = list;
    } catch (error) {
      this.#news = [...news, ...this.#news];
      throw error;
    }
    for (const part of parts) {
      if (!part.query) part.add(news);
      part.entries = part.entries.filter((entry) => this.keeps(entry));
    }
    for (const one of news) this.chat?.change(one);
    this.#refreshed = performance.now();
  }

  /** Gives the conversations as far as they are shown. */
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

/** Names the sandbox that a list comes from: another one counts from 1 again. */
function storeOf({ cursor }) {
  return cursor.split(".")[0];
}

/** Makes an entry of an item; `store` names the sandbox that keeps it. */
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
