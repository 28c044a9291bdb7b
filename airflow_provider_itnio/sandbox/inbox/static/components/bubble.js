// One message or reply as a bubble.

import { contactCards, locationCard } from "./cards.js";
import { button, element, icon } from "../lib/dom.js";
import { FILES } from "./files.js";
import { formatted, withoutMarks } from "../lib/formatting.js";
import { interactive } from "./interactive.js";
import { textAt, valueAt } from "../lib/reading.js";
import { clock } from "../lib/times.js";
import { explanation } from "./request_pane.js";
import { template } from "./whatsapp_template.js";

const EMOJI = /^(?:[\p{Extended_Pictographic}\p{Regional_Indicator}\p{Emoji_Modifier}\u200d\ufe0f\s]|[\d#*]\ufe0f\u20e3)+$/u;
const MOST_LARGE_EMOJI = 3;

const CONTENTS = {
  ...FILES,
  text: (content) => words(textAt(content, "body")),
  location: locationCard,
  contacts: contactCards,
  interactive,
  template,
};

const MADE = {
  message: (entry, { find, answer }) => [`Message, ${entry.data.type}`, ofMessage(entry, find, answer)],
  reply: (entry, { find }) => ["Reply of the recipient", ofReply(entry, find)],
  failure: (entry) => ["Failed request", [words(entry.words), explanation(entry.data)]],
};

/**
 * Makes the bubble of an entry. `find` gives an entry by its id; `open` shows its request; `answer` keeps a
 * choice and `quote` begins an answer, both missing where none can be kept.
 */
export function bubble(entry, { find, open, answer, quote }) {
  const [sender, made] = MADE[entry.kind](entry, { find, answer });
  const said = withoutMarks(entry.words);
  return element(
    "article",
    {
      class: `bubble ${entry.kind === "failure" ? "failed" : entry.kind} is-${entry.data.type ?? "request"}`,
      "data-id": entry.id,
      "data-number": entry.number,
      "aria-label": `${sender}, ${clock(entry.at)}${said && `: ${said}`}`,
      tabindex: "-1",
      onclick: (event) => opensByClick(event) && open(),
    },
    made,
    stamp(entry, open, quote),
  );
}

/** Tells whether a click is none on something to press, nor the end of selecting text. */
export function opensByClick({ target, currentTarget }) {
  const selection = getSelection();
  return !target.closest("a, button, audio, video") && (selection.isCollapsed || !currentTarget.contains(selection.anchorNode));
}

function ofMessage({ data, failure }, find, answer) {
  const { type, body, notes } = data;
  const show = CONTENTS[type] ?? unknown;
  const press = answer && ((choice) => answer({ message_id: data.id, ...choice }));
  const unheard = failure && `The sender does not know that it was accepted: ${failure.meaning}`;
  return [
    quoteOf(textAt(body, "context", "refMessageId"), find),
    show(valueAt(body, type), { answer: press }),
    [...notes, unheard].filter(Boolean).map((note) => element("p", { class: "note", dir: "auto" }, icon("note"), note)),
  ];
}

function ofReply({ data }, find) {
  const shown = data.type === "location" ? locationCard(valueAt(data.body, "message", "location")) : undefined;
  return [
    quoteOf(data.answers, find),
    shown ?? (data.choice === null ? words(data.text) : element("div", { class: "words", dir: "auto" }, data.text)),
  ];
}

/** Shows a text, large if it is of up to three emoji alone. */
function words(text) {
  const large = EMOJI.test(text) && [...new Intl.Segmenter().segment(text.replace(/\s/g, ""))].length <= MOST_LARGE_EMOJI;
  return element("div", { class: large ? "words emoji" : "words", dir: "auto" }, formatted(text));
}

function unknown(content) {
  return [element("pre", {}, JSON.stringify(content, null, 2))];
}

/** Shows the message that another one answers, by its words if it is known. */
export function quoteOf(id, find) {
  if (!id) return undefined;
  const quoted = find(id);
  const who = quoted?.kind === "message" ? "Business" : "Recipient";
  return element("div", { class: `quoted ${quoted?.kind ?? "nowhere"}`, "data-id": id },
    element("b", {}, quoted ? who : "An earlier message"),
    element("p", { dir: "auto" }, quoted ? withoutMarks(quoted.words) || quoted.data.type : `Message ${id} is not in this inbox`),
  );
}

function stamp(entry, open, quote) {
  const opened = entry.kind === "failure" ? "Open the failed request" : `Open the ${entry.kind === "reply" ? "reply" : "request"} ${entry.id}`;
  return element("footer", {},
    quote && button({ class: "quote", tabindex: "-1", title: "Reply to this message", "aria-label": "Reply to this message", onclick: () => quote(entry) }, icon("reply")),
    button({ class: "stamp", tabindex: "-1", title: opened, "aria-label": opened, onclick: open },
      element("span", { class: "id" }, entry.kind === "failure" ? "Failed" : entry.id),
      element("time", { datetime: entry.at.toISOString(), title: entry.at.toString() }, clock(entry.at)),
    ),
    entry.kind === "failure" && element("span", { class: "status is-failed" }, icon("refused")),
  );
}
