// Where one reads in a list of bubbles: its end, or some bubble, stays in sight whatever comes, goes or grows.

const NEAR_THE_END = 60;

export class ReadingPlace {
  atEnd = true;
  #scroll;
  #list;
  #reachedEnd;
  #read = [];
  #top = 0;
  #height = 0;
  #room = 0;

  /** Watches a list in what scrolls it; `reachedEnd` is told when its end is in sight. */
  constructor(scroll, list, reachedEnd) {
    this.#scroll = scroll;
    this.#list = list;
    this.#reachedEnd = reachedEnd;
    scroll.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // Pictures grow when they are loaded, and so does the field below; the end, or what is read, stays in sight.
    const grown = new ResizeObserver(() => this.stay());
    for (const one of [list, scroll]) grown.observe(one);
  }

  /**
   * Remembers the bubble that is read, from `oldest` on, and where it stands: by its top, or if that is out of
   * sight by the end of it and of each part of it at the edge, the innermost first.
   */
  remember(oldest = 0) {
    const edge = this.#scroll.getBoundingClientRect().top;
    const isSeen = (one) => one.getBoundingClientRect().bottom > edge;
    this.#read = [];
    let part = [...this.#list.querySelectorAll("article")].find((one) => one.dataset.number >= oldest && isSeen(one));
    while (part) {
      const side = part.getBoundingClientRect().top >= edge ? "top" : "bottom";
      this.#read.unshift({ part, side, at: part.getBoundingClientRect()[side] });
      part = side === "top" ? undefined : [...part.children].find(isSeen);
    }
  }

  /** Puts what is read back to where it stood, whatever has come, gone or grown around it. */
  hold() {
    const held = this.#read.find(({ part }) => part.isConnected);
    if (held) this.#scroll.scrollTop += held.part.getBoundingClientRect()[held.side] - held.at;
    this.#settle();
  }

  /** Keeps the end in sight, or what is read; where that has come to the very end, the end from then on. */
  stay() {
    if (!this.#scroll.clientHeight) return; // out of sight, nothing stands anywhere
    if (!this.atEnd) this.hold();
    if (this.atEnd || this.#below() < 2) this.toEnd();
  }

  /** Shows the end, and stays there. */
  toEnd() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#settle();
    this.#noteWhereItIs(true);
  }

  /** Shows a bubble, and stays there. */
  show(article) {
    article.scrollIntoView({ block: "center" });
    this.#settle();
    this.#noteWhereItIs(this.#below() < 2);
  }

  #noteWhereItIs(atEnd) {
    this.atEnd = atEnd;
    if (atEnd) this.#reachedEnd();
    this.remember();
  }

  /** Says how much there is below what is in sight, in pixels. */
  #below() {
    return this.#scroll.scrollHeight - this.#scroll.scrollTop - this.#scroll.clientHeight;
  }

  /** Notes where the list stands now, so that a move that follows can be told from one that was made here. */
  #settle() {
    this.#top = this.#scroll.scrollTop;
    this.#height = this.#list.offsetHeight;
    this.#room = this.#scroll.clientHeight;
  }

  #scrolled() {
    const moved = this.#scroll.scrollTop - this.#top;
    this.#top = this.#scroll.scrollTop;
    if (this.#list.offsetHeight !== this.#height || this.#scroll.clientHeight !== this.#room) {
      // Something has grown since, such as what one types, and is about to be made up for: of this only what a person has moved counts.
      if (moved < 0) this.atEnd = false;
      for (const read of this.#read) read.at -= moved;
      return;
    }
    this.#noteWhereItIs(this.#below() < NEAR_THE_END);
  }
}
