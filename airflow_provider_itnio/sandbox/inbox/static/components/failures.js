// The requests that were refused, dropped or answered by a fault, newest first.

import { avatar, button, draw, element, head, make } from "../lib/dom.js";
import { clock, day } from "../lib/times.js";
import { opensByClick } from "./bubble.js";
import { explanation } from "./request_pane.js";

const A_PAGE = 100;

/** Creates the list of failures, a view of the middle pane. */
export function makeFailureList(inbox, actions) {
  const root = make(element("div", { class: "view" }));
  let part;
  let limit = A_PAGE;
  let shown = "";
  return { root, draw: drawList, focus: () => (root.querySelector(".open") ?? root.querySelector("button")).focus({ preventScroll: true }) };

  /** Draws the failures that are loaded; `selected` is the id of the one to mark. */
  function drawList(loaded, selected) {
    if (loaded !== part) [part, limit, shown] = [loaded, A_PAGE, ""];
    if (part.after === null) part.trim(limit);
    const { count } = inbox.list.failures;
    draw(root,
      head(actions.back, avatar(), element("h2", {}, "Failed requests"), element("p", {}, count === 1 ? "1 request" : `${count} requests`)),
      element("div", { class: "scroll" },
        part.after !== null && button({ class: "further", onclick: () => actions.more(part, "after") }, "Show later ones"),
        element("ol", { class: "failures" }, part.entries.toReversed().map((entry) => card(entry, entry.id === selected))),
        part.before !== null && button({ class: "more", onclick: showEarlier }, "Show earlier ones"),
      ),
    );
    if (selected && selected !== shown) root.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
    shown = selected;
  }

  function showEarlier() {
    limit = part.entries.length + A_PAGE;
    actions.more(part, "before");
  }

  function card(entry, isSelected) {
    const { id, number, data, at } = entry;
    const open = () => actions.open(entry);
    const onclick = (event) => opensByClick(event) && open();
    return element("li", { key: number },
      element("article", { class: "failure", "data-number": number, "data-id": id, "aria-current": isSelected && "true", onclick },
        explanation(data),
        element("footer", {},
          element("code", {}, data.path),
          data.recipient && element("bdi", {}, `to ${data.recipient}`),
          element("time", { datetime: at.toISOString() }, `${day(at)}, ${clock(at)}`),
          button({ class: "open", onclick: open }, "Open the request"),
        ),
      ),
    );
  }
}
