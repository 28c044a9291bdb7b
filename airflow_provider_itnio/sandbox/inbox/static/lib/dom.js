// Building the page: the only place that makes elements.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element. A property that begins with "on" is a listener, any other an attribute; children are
 * elements, or texts, which stay texts whatever stands in them.
 */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...present(children));
  return made;
}

/** Leaves out the children that are nothing. */
export function present(children) {
  return children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== "" && child !== false);
}

const ICONS = {
  audio: "M12 15a3 3 0 0 0 3-3V6a3 3 0 0 0-6 0v6a3 3 0 0 0 3 3zM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3",
  back: "M15 5l-7 7 7 7",
  calendar: "M4 6h16v14H4zM4 11h16M8 3v4M16 3v4",
  clear: "M5 7h14M10 7V4.5h4V7M7 7l1 13h8l1-13M10.5 11v5.5M13.5 11v5.5",
  close: "M6 6l12 12M18 6L6 18",
  company: "M5 21V4h9v17M14 9h5v12M8 8h3M8 12h3M8 16h3M3 21h18",
  contacts: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5c.6-4 3.6-6 7.5-6s6.9 2 7.5 6",
  document: "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
  fault: "M13 3L5 14h6l-1 7 8-11h-6z",
  down: "M12 5v14M6 13l6 6 6-6",
  image: "M4 5h16v14H4zM4 16l4.5-5 4 4.5 2.5-2.5 5 5M15.5 9.5h.01",
  interactive: "M4 5h16v9H4zM8 18h8",
  link: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1.5 1.5M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1.5-1.5",
  list: "M9 6h11M9 12h11M9 18h11M4.5 6h.01M4.5 12h.01M4.5 18h.01",
  location: "M12 21c4-4.5 6.5-8 6.5-11a6.5 6.5 0 0 0-13 0c0 3 2.5 6.5 6.5 11zM12 12.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  mail: "M4 6h16v12H4zM4 7l8 6 8-6",
  note: "M12 4l9 16H3zM12 10v4.5M12 17.300h.01",
  pending: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3 2",
  phone: "M6 3h3.5l1.5 5-2 1.5a11 11 0 0 0 5.5 5.5l1.5-2 5 1.5V18a3 3 0 0 1-3 3C10 21 3 14 3 6a3 3 0 0 1 3-3z",
  refused: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM6 6l12 12",
  reply: "M10 7L5 12l5 5M5.5 12H14a5 5 0 0 1 5 5v1",
  save: "M12 4v11M7 11l5 5 5-5M5 20h14",
  send: "M4 12l16-8-5 16-3.5-6.5z",
  sticker: "M5 4h14v9l-6 7H5zM13 20v-7h6M9 9h.01M14 9h.01",
  template: "M4 4h16v16H4zM4 9h16M9 9v11",
  text: "M5 6h14M12 6v13",
  tick: "M5 13l4.500 4.500L19 7",
  ticks: "M1.500 13l4.500 4.500L15.500 7M11.500 16.500l1 1L22.500 7",
  video: "M4 6h11v12H4zM15 10.5l5-3v9l-5-3z",
};

/** Draws an icon that says nothing to a screen reader. */
export function icon(name) {
  const drawn = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  drawn.setAttribute("viewBox", "0 0 24 24");
  drawn.setAttribute("class", "icon");
  drawn.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name] ?? ICONS.text);
  drawn.append(path);
  return drawn;
}

/** Makes a button that does something. */
export function button(properties, ...children) {
  return element("button", { type: "button", ...properties }, ...children);
}

/** Makes the button that leads from a conversation back to the list, on a phone. */
export function backButton(does) {
  return button({ class: "tool back", "aria-label": "Back to the conversations", title: "Back", onclick: does }, icon("back"));
}

/** Makes a function that does nothing while an earlier call of it is not done. */
export function oneAtATime(does) {
  let busy = false;
  return async () => {
    if (busy) return;
    busy = true;
    try {
      await does();
    } finally {
      busy = false;
    }
  };
}

/** Puts nodes into a parent in this order, touching only those that stand elsewhere or are new. */
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  const focused = document.activeElement;
  let place = parent.firstElementChild;
  for (const node of nodes) {
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  // A node that is moved loses the keyboard.
  if (focused !== document.activeElement && parent.contains(focused)) focused.focus({ preventScroll: true });
}
