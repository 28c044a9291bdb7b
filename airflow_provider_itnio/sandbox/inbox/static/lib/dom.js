// Drawing the page: the wanted state is described, and only the differences are changed in the DOM.

const SVG = "http://www.w3.org/2000/svg";
const OF_SVG = ["svg", "path"];
const NO_ATTRIBUTES = ["key", "state", "value", "made"];
const NOTHING = [undefined, null, false, ""];

/** The description of an element. It is a class, so that an object in a message can't be taken for an element. */
class Description {
  constructor(name, properties, children) {
    Object.assign(this, { name, properties, children });
  }
}

/**
 * Describes an element. Properties: "on…" adds a listener, `made` is called with the new element, `value` is the value
 * of a field, `key` identifies it in a list; while `state` is the same, it is not redrawn. Others are attributes.
 * Children are elements, texts (never read as HTML), or a function that returns the children when they are needed.
 */
export const element = (name, properties = {}, ...children) => new Description(name, properties, children);

/** Creates the described node; an existing node is returned. */
export function make(wanted) {
  if (wanted instanceof Node) return wanted;
  const { name } = wanted;
  const made = !name ? new Text() : OF_SVG.includes(name) ? document.createElementNS(SVG, name) : document.createElement(name);
  update(made, wanted);
  return made;
}

/** Draws descriptions into a parent. Nodes that stay keep focus, scroll position and playback. */
export function draw(parent, ...wanted) {
  const all = present(wanted);
  if (!parent.firstChild) return parent.append(...all.map(make));
  const keys = new Set(all.map(keyOf));
  for (const child of [...parent.childNodes]) if (!keys.has(child) && !keys.has(keyOf(child.drawn))) remove(child);
  const focused = document.activeElement;
  let place = parent.firstChild;
  for (const one of all) {
    let node = place;
    while (node && node !== one && !isLike(node.drawn, one)) node = node.nextSibling;
    if (node && node !== one && !isSame(node.drawn, one)) update(node, one);
    node ??= make(one);
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
  while (place) [place] = [place.nextSibling, remove(place)];
  // A node that is moved loses the focus.
  if (focused !== document.activeElement && parent.contains(focused)) focused.focus({ preventScroll: true });
}

/** Returns the children that are not empty; anything but an element becomes text. */
export function present(children) {
  return children
    .map((child) => (typeof child === "function" ? child() : child))
    .flat(Infinity)
    .filter((child) => !NOTHING.includes(child))
    .map((child) => (child instanceof Description || child instanceof Node ? child : String(child)));
}

const keyOf = (one) => (one instanceof Node ? one : one?.properties?.key);
const isLike = (drawn, one) => drawn?.name === one.name && keyOf(drawn) === keyOf(one);
const isSame = (drawn, one) => drawn === one || (drawn.properties?.state !== undefined && drawn.properties.state === one.properties.state);

function update(node, wanted) {
  const before = node.drawn?.properties;
  node.drawn = wanted;
  if (node instanceof Text) return void (node.data = wanted);
  const { properties } = wanted;
  draw(node, ...wanted.children);
  for (const name in { ...before, ...properties }) {
    const value = properties[name];
    if (name === "value" && value !== undefined && String(node.value) !== String(value)) node.value = value;
    if (before?.[name] === value || NO_ATTRIBUTES.includes(name)) continue;
    if (name.startsWith("on")) node[name] = value && ((event) => void value(event)); // what gives false cancels nothing
    else if (NOTHING.includes(value)) node.removeAttribute(name);
    else node.setAttribute(name, value === true ? "" : value);
  }
  if (!before) properties.made?.(node);
}

/** Removes a node; if it had the focus, its parent gets it. */
function remove(node) {
  const around = node.contains(document.activeElement) && node.parentElement.closest("[tabindex]");
  node.remove();
  if (around) around.focus({ preventScroll: true });
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

/** Describes an icon that says nothing to a screen reader. */
export function icon(name) {
  return element("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, element("path", { d: ICONS[name] ?? ICONS.text }));
}

/** Describes a button that does something. */
export const button = (properties, ...children) => element("button", { type: "button", ...properties }, ...children);

/** Describes a button that only shows an icon. */
export const tool = (name, label, onclick, kind = "tool") => button({ class: kind, title: label, "aria-label": label, onclick }, icon(name));

/** Describes a name with lines about it below. */
export const about = (name, ...lines) => element("span", { class: "about" }, element("bdi", { class: "name" }, name), lines);

/** Describes the round sign of a recipient, or of failed requests. */
export function avatar(number) {
  const kind = number ? `hue-${Number(number.slice(-3)) % 6}` : "failed";
  return element("span", { class: `avatar ${kind}`, "aria-hidden": "true" }, number ? number.slice(-2) : icon("refused"));
}

/** Describes the head of a view: on a phone with a button that leads `back`. */
export function head(back, avatar, ...who) {
  const leadsBack = tool("back", "Back to the conversations", back, "tool back");
  return element("header", { class: "bar" }, leadsBack, avatar, element("div", { class: "who" }, who));
}

const busy = new WeakSet();

/** Returns a listener that does nothing while a previous call on the same element is still running. */
export function oneAtATime(does) {
  return async ({ currentTarget }) => {
    if (busy.has(currentTarget)) return;
    busy.add(currentTarget);
    try {
      await does();
    } finally {
      busy.delete(currentTarget);
    }
  };
}

/** Moves the focus to the item for an arrow key, Home or End. */
export function walk(event, items, at = items.findIndex((one) => one.contains(event.target))) {
  const next = items[{ ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key]];
  if (at < 0 || !next) return;
  event.preventDefault();
  next.focus();
}

/** Lets Tab reach only one of the items, with the controls in it. */
export function keepOneInTabOrder(items, kept) {
  for (const item of items) {
    const index = item === kept ? 0 : -1;
    for (const one of [item, ...item.querySelectorAll("a[href], button, audio, video")]) if (one.tabIndex !== index) one.tabIndex = index;
  }
}
