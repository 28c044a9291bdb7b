// The right pane, which stays beside the chat; on a phone it is a sheet from below.

import { draw, element, tool } from "../lib/dom.js";

export const PHONE = matchMedia("(max-width: 46rem)");

/** Creates the pane from its element, the element below it when it is a sheet, and the function that closes it. */
export function makePane(root, others, close) {
  const pane = {
    contains: (node) => root.contains(node),
    get title() { return root.ariaLabel; },
    get isOpen() { return !("empty" in root.dataset); },
    get isSheet() { return pane.isOpen && PHONE.matches; }, // and covers what it belongs to

    /**
     * Shows content under a title, with `tools` next to it; it takes the focus if it covers the focused element.
     * Content with the same `key` keeps its scroll position.
     */
    show(title, key, tools, ...content) {
      const opens = !pane.isOpen;
      delete root.dataset.empty;
      fill(title,
        element("header", { class: "bar", key: title },
          element("h2", {}, title),
          element("p", { class: "tools" }, tools),
          tool("close", `Close: ${title}`, close),
        ),
        element("div", { class: "content", key }, content),
      );
      if (opens && (pane.isSheet || !document.activeElement.checkVisibility())) root.querySelector("header > .tool").focus();
    },

    /** Hides the pane. */
    hide() {
      root.dataset.empty = "";
      fill("Request", element("p", { class: "empty" }, "Choose a message to see its request, the answer and what was pushed."));
    },
  };

  // Elements below a sheet get no clicks, so that a click next to the sheet reaches the page.
  document.addEventListener("click", ({ target }) => target.contains(root) && target !== root && pane.isSheet && close());
  PHONE.addEventListener("change", cover);
  pane.hide();
  return pane;

  function fill(label, ...content) {
    root.ariaLabel = label;
    draw(root, content);
    cover();
  }

  function cover() {
    for (const other of others) other.inert = pane.isSheet;
  }
}
