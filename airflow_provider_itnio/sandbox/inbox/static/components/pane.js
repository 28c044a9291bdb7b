// The right pane, which stays beside the chat; on a phone it is a sheet from below.

import { draw, element, tool } from "../lib/dom.js";

export const PHONE = matchMedia("(max-width: 46rem)");

/** Makes the pane out of its element, what lies below it when it is a sheet, and what to do to close it. */
export function makePane(root, others, close) {
  const pane = {
    contains: (node) => root.contains(node),
    get title() { return root.ariaLabel; },
    get isOpen() { return !("empty" in root.dataset); },
    get isSheet() { return pane.isOpen && PHONE.matches; }, // and covers what it belongs to

    /**
     * Shows something under a title, with `tools` beside it; it takes the keyboard if it covers what had it. What is
     * shown anew by the same `key` stays where one reads it.
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

    /** Shows nothing. */
    hide() {
      root.dataset.empty = "";
      fill("Request", element("p", { class: "empty" }, "Choose a message to see its request, the answer and what was pushed."));
    },
  };

  // What lies below a sheet takes no clicks, so that one beside the sheet meets the page itself.
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
