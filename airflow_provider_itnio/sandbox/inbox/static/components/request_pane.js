// The request of a message, a failure or a reply, byte for byte except secrets, and its answer.

import { copyButton } from "../lib/copying.js";
import { asCurl } from "../lib/curl.js";
import { element } from "../lib/dom.js";

const LONGEST_COLOURED = 50_000;
const TOKENS = /("(?:[^"\\]|\\.)*")(\s*:)?/g;

/** Shows all data of an exchange in the right pane. */
export function showRequest(pane, { number, message, reply, failure, request, pushes }) {
  const sent = request ? request.body ?? request.raw_body : reply.body;
  const tools = [copyButton("Copy", () => asText(sent)), request && copyButton("Copy as curl", () => asCurl(request))];
  const pushed = reply ? [sent] : pushes;
  const sign = request?.sign_is_valid ? "fits key, secret and timestamp" : "does not fit";
  pane.show(reply ? "Reply" : "Request", number, tools,
    failure && explanation(failure),
    summary(message ?? reply),
    request && [
      element("p", { class: "request-line" }, element("b", {}, request.method), " ", request.path),
      section("Body", json(sent)),
      request.http_status === null
        ? section("Answer", element("p", {}, "none, the connection was closed"))
        : section(`Answer · HTTP ${request.http_status}`, json(request.answer)),
    ],
    pushed && section("Pushes", pushed.length ? pushed.map(json) : nothing("none")),
    request && section("Headers", facts({ ...request.headers, "(Sign)": sign })),
  );
}

/** Describes why a request failed: the code, its meaning, what is wrong with this one, what to change. */
export function explanation({ status, meaning, why, advice, by_fault: byFault }) {
  return element("div", { class: "explanation" },
    element("p", { class: "meaning" }, status !== null && element("code", { class: "code" }, status), element("strong", {}, meaning)),
    element("p", { class: "why", dir: "auto" }, why),
    advice && element("p", { class: "advice" }, element("b", {}, byFault ? "In production: " : "What to change: "), advice),
  );
}

function summary(entry) {
  return entry && facts({
    Id: entry.id,
    Type: entry.type,
    Recipient: entry.recipient ?? entry.sender,
    "Time (UTC)": entry.at.replace("T", " ").replace(/\.\d+|\+00:00/g, ""),
    Answers: entry.answers,
    Chosen: entry.choice,
    Status: [entry.status, entry.failure].filter(Boolean).join(": "),
    Notes: entry.notes?.join("\n"),
  });
}

const section = (title, ...content) => element("section", {}, element("h3", {}, title), content);
const nothing = (words) => element("p", { class: "nothing" }, words);

function facts(texts) {
  const pair = ([name, text]) => element("div", {}, element("dt", {}, name), element("dd", { dir: "auto" }, text));
  return element("dl", { class: "facts" }, Object.entries(texts).filter(([, text]) => text).map(pair));
}

function json(value) {
  if (["", null, undefined].includes(value)) return nothing("empty");
  return element("pre", { class: "json", dir: "ltr", tabindex: "0" }, typeof value === "string" ? value : coloured(asText(value)));
}

const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

/** Colours keys and texts differently; each text keeps the direction of its script. */
function coloured(text) {
  if (text.length > LONGEST_COLOURED) return text;
  const shown = [];
  let place = 0;
  for (const { 0: token, 1: quoted, 2: colon, index } of text.matchAll(TOKENS)) {
    shown.push(text.slice(place, index), element("bdi", { class: colon ? "key" : "value" }, quoted), colon);
    place = index + token.length;
  }
  return [...shown, text.slice(place)];
}
