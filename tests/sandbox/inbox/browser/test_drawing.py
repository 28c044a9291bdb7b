"""What is drawn over something else is what would be drawn anew, and leaves alone what stays."""

from __future__ import annotations

from tests.tables import for_each

DRAW = """async (seed) => {
  const { draw, element } = await import("/static/lib/dom.js");
  const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
  const some = (most, one) => Array.from({ length: random(most) }, one);
  const attribute = () => [["title", "class", "dir"][random(3)], ["", "ltr", "a b"][random(3)]];
  const attributes = () => Object.fromEntries(some(3, attribute));
  const node = (depth) =>
    element(["p", "b", "ul", "svg"][random(4)], attributes(), ...some(depth, () => tree(depth - 1)));
  const tree = (depth) => (depth && random(2) ? node(depth) : ["text", "", undefined, "<b>", 0][random(5)]);
  const row = (key) => element("li", { key, id: `k${key}`, tabindex: "-1" }, ...some(3, () => tree(2)));
  const rows = () => [...new Set(some(9, () => random(9)))].map(row);
  const make = (name) => document.body.appendChild(document.createElement(name));
  const [over, fresh] = [make("section"), make("section")];
  const told = { kept: 0, replaced: 0, differ: 0, unfocused: 0 };
  for (let round = 0; round < 60; round++) {
    const list = rows();
    const wanted = [element("header", {}, some(4, () => tree(3))), element("ul", {}, list)];
    const before = new Map([...over.querySelectorAll("li")].map((one) => [one.id, one]));
    const focused = [...before.values()].findLast(({ id }) => list.some((one) => one.properties.id === id));
    focused?.focus();
    draw(over, wanted);
    if (focused && document.activeElement !== focused) told.unfocused++;
    for (const one of over.querySelectorAll("li")) {
      if (before.has(one.id)) told[before.get(one.id) === one ? "kept" : "replaced"]++;
    }
    fresh.replaceChildren();
    draw(fresh, wanted);
    if (!over.isEqualNode(fresh)) told.differ++;
  }
  over.remove();
  fresh.remove();
  return told;
}"""


@for_each("seed", [1, 2, 3])
def test_what_is_drawn_over_something_is_as_if_drawn_anew(any_page, seed):
    told = any_page.evaluate(DRAW, seed)
    assert told.pop("kept") > 40
    assert told == {"differ": 0, "replaced": 0, "unfocused": 0}
