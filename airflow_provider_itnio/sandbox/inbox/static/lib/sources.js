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
    return post("/sandbox/replies", reply);
  }

  /** Gives where statuses and replies are pushed; empty for nowhere. */
  async webhook() {
    return (await ask("/sandbox/webhook")).url;
  }

  /** Gives the line that connects Airflow. */
  async connection() {
    return ask("/sandbox/connection");
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

  /** Lets the next requests fail. */
  async addFault(fault) {
    return post("/sandbox/faults", fault);
  }

  /** Lets shares of all messages fail, as the command line writes them, and no others. */
  async setRandomFailures(fail) {
    return post("/sandbox/random-failures", { fail });
  }

  /** Lets nothing fail any more. */
  async clearFaults() {
    await ask("/sandbox/faults", { method: "DELETE" });
    await this.setRandomFailures([]);
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

function post(path, given) {
  return ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(given) });
}

async function ask(path, options) {
  const response = await fetch(path, options).catch(() => {
    throw new Error("the sandbox does not answer");
  });
  if (response.ok) return response.status === 204 ? undefined : response.json();
  const { error } = await response.json().catch(() => ({}));
  throw new Error(error ?? `the sandbox answered HTTP ${response.status}`);
}
