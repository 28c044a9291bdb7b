// Where the inbox comes from: the sandbox that runs, or what a saved page holds.

const AGAIN = 2000;

/** Follows a running sandbox, for as long as the page is looked at. */
export class RunningSandbox {
  #last = "";
  #events;
  #listener;

  /** Begins to tell `listener` of `hello`, `items`, `clear` and `state`. */
  follow(listener) {
    this.#listener = listener;
    this.#open();
    // A browser keeps six connections to one host: pages in the background must not hold them.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", () => this.#open());
  }

  /** Gives all that is known of an exchange. */
  async open(number) {
    return ask(`/sandbox/exchanges/${number}`);
  }

  /** Keeps what the recipient answers. */
  async answer(reply) {
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(reply) };
    return ask("/sandbox/replies", options);
  }

  /** Forgets all that came. */
  async clear() {
    return ask("/sandbox/messages", { method: "DELETE" });
  }

  #open() {
    if (this.#events) return;
    const events = new EventSource(`/sandbox/events?after=${encodeURIComponent(this.#last)}`);
    this.#events = events;
    for (const name of ["hello", "items", "clear"]) {
      events.addEventListener(name, (event) => {
        if (event.lastEventId) this.#last = event.lastEventId;
        this.#listener[name](JSON.parse(event.data));
      });
    }
    events.addEventListener("open", () => this.#listener.state("live"));
    events.addEventListener("error", () => {
      this.#listener.state("lost");
      // A browser gives up after an answer that is no stream, such as that of another server on this port.
      if (events.readyState === EventSource.CLOSED && this.#events === events) {
        this.#close();
        setTimeout(() => this.#open(), AGAIN);
      }
    });
  }

  #close() {
    this.#events?.close();
    this.#events = undefined;
  }
}

/** Reads what was saved in the page itself. */
export class SavedInbox {
  #exchanges;
  #keep;

  constructor(text) {
    const { keep, exchanges } = JSON.parse(text);
    this.#keep = keep;
    this.#exchanges = exchanges;
  }

  follow(listener) {
    listener.hello({ keep: this.#keep });
    listener.items(this.#exchanges);
    listener.state("saved");
  }

  async open(number) {
    return this.#exchanges.find((one) => one.number === number);
  }
}

async function ask(path, options) {
  const response = await fetch(path, options).catch(() => {
    throw new Error("the sandbox does not answer");
  });
  if (response.ok) return response.status === 204 ? undefined : response.json();
  const { error } = await response.json().catch(() => ({}));
  throw new Error(error ?? `the sandbox answered HTTP ${response.status}`);
}
