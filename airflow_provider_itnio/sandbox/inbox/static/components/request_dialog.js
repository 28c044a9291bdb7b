// The request behind a message, a refusal or a reply: what came, byte for byte but for secrets, and the answer.

import { openDialog } from "./dialog.js";
import { element } from "../lib/dom.js";

/** Opens all that is known of an exchange. */
export function openRequest({ message, reply, failure, request, pushes }) {
  openDialog({
    name: "drawer",
    title: reply ? "Reply" : "Request",
    body: [failure && explanation(failure), summary(message ?? reply), request ? sections(request) : pushed([reply.body]), pushes && pushed(pushes)],
  });
}

/** Says why a request failed: the code, its meaning, what is wrong with this one, what to change. */
export function explanation({ status, meaning, why, advice, by_fault: byFault }) {
  return element(
    "div",
    { class: "explanation" },
    element(
      "p",
      { class: "meaning" },
      status !== null && element("code", { class: "code" }, String(status)),
      element("strong", {}, meaning),
    ),
    why && element("p", { class: "why", dir: "auto" }, why),
    advice && element("p", { class: "advice" }, element("b", {}, byFault ? "Were it real: " : "What to change: "), advice),
  );
}

function summary(entry) {
  if (!entry) return undefined;
  return facts([
    ["Id", entry.id],
    ["Type", entry.type],
    ["Recipient", entry.recipient ?? entry.sender],
    ["Time (UTC)", entry.at.replace("T", " ").replace(/\.\d+|\+00:00/g, "")],
    ["Answers", entry.answers ?? ""],
    ["Chosen", entry.choice ?? ""],
    ["Status", [entry.status, entry.failure].filter(Boolean).join(": ")],
    ["Notes", (entry.notes ?? []).join("\n")],
  ]);
}

function sections(request) {
  const sign = request.sign_is_valid ? "fits key, secret and timestamp" : "does not fit";
  return [
    element("p", { class: "request-line" }, element("b", {}, request.method), " ", request.path),
    section("Headers", facts([...Object.entries(request.headers), ["(Sign)", sign]])),
    section("Body", json(request.body ?? request.raw_body)),
    section(request.http_status === null ? "Answer" : `Answer · HTTP ${request.http_status}`,
      request.http_status === null ? element("p", {}, "none, the connection was closed") : json(request.answer)),
  ];
}

function pushed(pushes) {
  return section("Pushes", pushes.length ? pushes.map(json) : element("p", { class: "nothing" }, "none"));
}

function section(title, ...content) {
  return element("section", {}, element("h3", {}, title), ...content);
}

function facts(pairs) {
  return element(
    "dl",
    { class: "facts" },
    pairs.filter(([, text]) => text).map(([name, text]) => element("div", {}, element("dt", {}, name), element("dd", { dir: "auto" }, text))),
  );
}

function json(value) {
  if (value === "" || value === null || value === undefined) return element("p", { class: "nothing" }, "empty");
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return element("pre", { class: "json", tabindex: "0" }, text);
}
