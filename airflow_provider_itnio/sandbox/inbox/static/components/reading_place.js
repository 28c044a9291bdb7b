// Where one reads in a list of bubbles: its end, or some bubble, stays in sight whatever comes, goes or grows.

const NEAR_THE_END = 60;

/** Watches a list in what scrolls it; `reachedEnd` is told when its end is in sight. */
export function watchReadingPlace(scroll, list, reachedEnd) {
  const place = { atEnd: true, remember, hold, stay, toEnd, show };
  let read = [];
  let settled = {};
  scroll.addEventListener("scroll", scrolled, { passive: true });
  // Pictures grow when they are loaded, and so does the field below; the end, or what is read, stays in sight.
  const grown = new ResizeObserver(stay);
  for (const one of [list, scroll]) grown.observe(one);
  return place;

  /**
   * Remembers the bubble that is read, from `oldest` on, and where it stands: by its top, or if that is out of
   * sight by the end of it and of each part of it at the edge, the innermost first.
   */
  function remember(oldest = 0) {
    const edge = scroll.getBoundingClientRect().top;
    const isSeen = (one) => one.getBoundingClientRect().bottom > edge;
    read = [];
    let part = [...list.querySelectorAll("article")].find((one) => one.dataset.number >= oldest && isSeen(one));
    while (part) {
      const side = part.getBoundingClientRect().top >= edge ? "top" : "bottom";
      read.unshift({ part, side, at: part.getBoundingClientRect()[side] });
      part = side === "top" ? undefined : [...part.children].find(isSeen);
    }
  }

  /** Puts what is read back to where it stood, whatever has come, gone or grown around it. */
  function hold() {
    const held = read.find(({ part }) => part.isConnected);
    if (held) scroll.scrollTop += held.part.getBoundingClientRect()[held.side] - held.at;
    settle();
  }

  /** Keeps the end in sight, or what is read; where that has come to the very end, the end from then on. */
  function stay() {
    if (!scroll.clientHeight) return; // out of sight, nothing stands anywhere
    if (!place.atEnd) hold();
    if (place.atEnd || below() < 2) toEnd();
  }

  /** Shows the end, and stays there. */
  function toEnd() {
    scroll.scrollTop = scroll.scrollHeight;
    settle();
    noteWhereItIs(true);
  }

  /** Shows a bubble, and stays there. */
  function show(article) {
    article.scrollIntoView({ block: "center" });
    settle();
    noteWhereItIs(below() < 2);
  }

  function noteWhereItIs(atEnd) {
    place.atEnd = atEnd;
    if (atEnd) reachedEnd();
    remember();
  }

  /** Says how much there is below what is in sight, in pixels. */
  function below() {
    return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight;
  }

  /** Notes where the list stands now, so that a move that follows can be told from one that was made here. */
  function settle() {
    settled = { top: scroll.scrollTop, height: list.offsetHeight, room: scroll.clientHeight };
  }

  function scrolled() {
    const moved = scroll.scrollTop - settled.top;
    settled.top = scroll.scrollTop;
    const isGrowing = list.offsetHeight !== settled.height || scroll.clientHeight !== settled.room;
    if (!isGrowing) return noteWhereItIs(below() < NEAR_THE_END);
    // What has grown since, such as what one types, is about to be made up for: of this only what a person has moved counts.
    if (moved < 0) place.atEnd = false;
    for (const one of read) one.at -= moved;
  }
}
