// Locations and contacts as cards.

import { follow } from "../lib/addresses.js";
import { about, element, icon } from "../lib/dom.js";
import { objectsAt, textAt } from "../lib/reading.js";

const MAP = "https://www.openstreetmap.org/";

/** Shows a location with a link to a map. */
export function locationCard(content) {
  const [latitude, longitude] = ["latitude", "longitude"].map((name) => textAt(content, name));
  const place = `${latitude}, ${longitude}`;
  const known = [latitude, longitude].every((one) => one.trim() && Number.isFinite(Number(one)));
  const at = `mlat=${encodeURIComponent(latitude)}&mlon=${encodeURIComponent(longitude)}`;
  const name = textAt(content, "name") || place;
  return follow(
    known ? `${MAP}?${at}#map=15/${Number(latitude)}/${Number(longitude)}` : undefined,
    { class: "place", "aria-label": known && `Map of ${name}` },
    element("span", { class: "map" }, icon("location")),
    about(name, element("bdi", { class: "line" }, textAt(content, "address")), name !== place && element("small", { dir: "ltr" }, place)),
  );
}

/** Shows contacts, a card for each. */
export const contactCards = (content) => Array.isArray(content) ? content.map(contact) : [];

function contact(one) {
  const name = textAt(one, "name", "formatted_name");
  const lines = [
    line("company", [textAt(one, "org", "title"), textAt(one, "org", "department"), textAt(one, "org", "company")]),
    ...objectsAt(one, "phones").map((phone) => line("phone", [textAt(phone, "phone")], textAt(phone, "type"))),
    ...objectsAt(one, "emails").map((mail) => line("mail", [textAt(mail, "email")], textAt(mail, "type"))),
    ...objectsAt(one, "urls").map((url) => line("link", [textAt(url, "url")], textAt(url, "type"), (text) => follow(text, {}, text))),
    ...objectsAt(one, "addresses").map((address) => line("location", parts(address), textAt(address, "type"))),
    line("calendar", [textAt(one, "birthday")], "birthday"),
  ];
  return element("section", { class: "contact", "aria-label": `Contact ${name}` },
    element("header", {},
      element("span", { class: "avatar", "aria-hidden": "true" }, icon("contacts")),
      element("bdi", { class: "name" }, name || "Contact without a name"),
    ),
    element("ul", {}, lines),
  );
}

const parts = (address) => ["street", "city", "state", "zip", "country"].map((name) => textAt(address, name));

function line(drawn, texts, kind = "", written = (text) => text) {
  const text = texts.filter(Boolean).join(", ");
  if (!text) return undefined;
  return element("li", {}, icon(drawn), element("bdi", {}, written(text)), kind && element("small", {}, kind.toLowerCase()));
}
