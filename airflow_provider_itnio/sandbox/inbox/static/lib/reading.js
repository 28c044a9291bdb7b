// Reading any JSON by paths: the vendor accepts more than WhatsApp shows.

/** Returns the value at the end of a path, undefined if there is none. */
export function valueAt(value, ...path) {
  for (const name of path) {
    value = value !== null && typeof value === "object" ? value[name] : undefined;
  }
  return value;
}

/** Returns the text at the end of a path, "" if there is no text, number or boolean. */
export function textAt(value, ...path) {
  const found = valueAt(value, ...path);
  return ["string", "number", "boolean"].includes(typeof found) ? String(found) : "";
}

/** Returns the entries at the end of a path that are objects. */
export function objectsAt(value, ...path) {
  const found = valueAt(value, ...path);
  return Array.isArray(found) ? found.filter((one) => one !== null && typeof one === "object") : [];
}
