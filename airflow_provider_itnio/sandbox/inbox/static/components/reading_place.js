// Keeps the reading position in a list of bubbles, at its end or at a bubble, when bubbles are added, removed or grow.

const NEAR_THE_END = 60;

/** Watches a list in its scroll container; `reachedEnd` is called when its end is visible. */
export function watchReadingPlace(scroll, list, reachedEnd) {
  const place = { atEnd: true, remember, hold, stay, toEnd, show };
  let read = [];
  let settled = {};
  scroll.addEventListener("scroll", scrolled, { passive: true });
  // Pictures grow when they are loaded, and so does the field below; the reading position stays visible.
  const grown = new ResizeObserver(stay);
  for (const one of [list, scroll]) grown.observe(one);
  return place;

  /**
   * Remembers the bubble that is read, from `oldest` on, and its position: by its top, or if that is not visible,
   * by the ends of the bubble and of its parts at the edge, the innermost first.
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

  /** Restores the position of the bubble that is read. */
  function hold() {
    const held = read.find(({ part }) => part.isConnected);
    if (held) scroll.scrollTop += held.part.getBoundingClientRect()[held.side] - held.at;
    settle();
  }

  /** Keeps the end or the bubble that is read visible; at the very end, follows the end from then on. */
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

  /** Returns the height below the visible part, in pixels. */
  function below() {
    return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight;
  }

  /** Stores the scroll position, to distinguish a later scroll of the user from one that was made here. */
  function settle() {
    settled = { top: scroll.scrollTop, height: list.offsetHeight, room: scroll.clientHeight };
  }

  function scrolled() {
    const moved = scroll.scrollTop - settled.top;
    settled.top = scroll.scrollTop;
    const isGrowing = list.offsetHeight !== settled.height || scroll.clientHeight !== settled.room;
    if (!isGrowing) return noteWhereItIs(below() < NEAR_THE_END);
    // Growth since then, such as of the field, is corrected elsewhere: only scrolling by the user counts here.
    if (moved < 0) place.atEnd = false;
    for (const one of read) one.at -= moved;
  }
}
