// Links in messages: which may be followed or loaded, and their names.

import { element } from "./dom.js";

/** Reads a link; undefined unless it is an http or https address. */
export function webAddress(link) {
  if (typeof link !== "string" || !/^https?:\/\//i.test(link)) return undefined;
  try {
    return new URL(link);
  } catch {
    return undefined;
  }
}

/** Describes a link if its address may be followed, else a text. */
export function follow(link, properties, ...children) {
  const address = webAddress(link);
  if (!address) return element("span", properties, ...children);
  return element("a", { href: address.href, target: "_blank", rel: "noopener noreferrer", ...properties }, ...children);
}

/** Returns the name of a link's file: the last part of its path, else its host. */
export function fileName(link) {
  const address = webAddress(link);
  if (!address) return String(link ?? "");
  const last = address.pathname.split("/").findLast(Boolean);
  try {
    return last ? decodeURIComponent(last) : address.host;
  } catch {
    return last;
  }
}
