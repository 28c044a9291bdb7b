// One message, reply or failed request as a bubble.

import { contactCards, locationCard } from "./cards.js";
import { button, element, icon, tool } from "../lib/dom.js";
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

// The statuses of a message, as WhatsApp draws them.
const STATUSES = {
  accepted: ["pending", "Accepted"],
  sent: ["tick", "Sent"],
  delivered: ["ticks", "Delivered"],
  read: ["ticks", "Read"],
  failed: ["refused", "Not delivered"],
  deleted: ["clear", "Deleted"],
};

/**
 * Shows the bubble of an entry; `quoted` is the message that it answers, if known. `open` shows its request; `answer`
 * sends a choice and `quote` begins an answer, both missing if replies are not possible.
 */
export function bubble(entry, { quoted, isSelected, open, answer, quote }) {
  const { kind, data, id, number, at } = entry;
  const said = withoutMarks(entry.words);
  const [sender, opened, content] = {
    message: () => [`Message, ${data.type}`, `request ${id}`, ofMessage(entry, answer)],
    reply: () => ["Reply of the recipient", `reply ${id}`, ofReply(entry)],
    failure: () => ["Failed request", "failed request", [words(entry.words), explanation(data)]],
  }[kind]();
  const status = kind === "failure" ? "failed" : data.status;
  const [drawn, title] = STATUSES[status] ?? [];
  return element("article",
    {
      class: `bubble ${kind === "failure" ? "failed" : kind} is-${data.type ?? "request"}`,
      "data-id": id,
      "data-number": number,
      "aria-label": `${sender}, ${clock(at)}${said && `: ${said}`}`,
      "aria-description": kind === "message" && [title, data.failure].filter(Boolean).join(": "),
      "aria-current": isSelected && "true",
      tabindex: "-1",
      onclick: (event) => opensByClick(event) && open(),
      onkeydown: (event) => onKey(event, open, quote),
    },
    entry.answers && quoteOf(entry.answers, quoted),
    content,
    kind === "message" && data.failure && element("p", { class: "undelivered", dir: "auto" }, icon("refused"), `${title}: ${data.failure}`),
    element("footer", {},
      quote && tool("reply", "Reply to this message", quote, "quote"),
      button({ class: "stamp", title: `Open the ${opened}`, "aria-label": `Open the ${opened}`, onclick: open },
        element("span", { class: "id" }, kind === "failure" ? "Failed" : id),
        element("time", { datetime: at.toISOString(), title: at.toString() }, clock(at)),
      ),
      drawn && element("span", { class: `status is-${status}`, title: kind === "message" && title }, icon(drawn)),
    ),
  );
}

/** Returns whether a click is neither on a control nor the end of a text selection. */
export function opensByClick({ target, currentTarget }) {
  const selection = getSelection();
  return !target.closest("a, button, audio, video") && (selection.isCollapsed || !currentTarget.contains(selection.anchorNode));
}

function onKey(event, open, quote) {
  if (event.target.matches("audio, video") || event.ctrlKey || event.metaKey || event.altKey) return;
  const does = event.key === "r" ? quote : event.key === "Enter" && event.target === event.currentTarget && open;
  if (!does) return;
  event.preventDefault(); // else the same press closes what it opens, or is written into the field
  does();
}

function ofMessage({ data, failure, chosen }, answer) {
  const { type, body, notes } = data;
  const show = CONTENTS[type] ?? ((content) => element("pre", {}, JSON.stringify(content, null, 2)));
  const press = answer && ((choice) => answer({ message_id: data.id, ...choice }));
  const unheard = failure && `The sender does not know that it was accepted: ${failure.meaning}`;
  return [
    show(valueAt(body, type), { answer: press, chosen }),
    [...notes, unheard].filter(Boolean).map((note) => element("p", { class: "note", dir: "auto" }, icon("note"), note)),
  ];
}

function ofReply({ data }) {
  if (data.type === "location") return locationCard(valueAt(data.body, "message", "location"));
  return data.choice === null ? words(data.text) : element("div", { class: "words", dir: "auto" }, data.text);
}

/** Shows a text, in large type if it is only one to three emoji. */
function words(text) {
  const isLarge = EMOJI.test(text) && [...new Intl.Segmenter().segment(text.replace(/\s/g, ""))].length <= MOST_LARGE_EMOJI;
  return element("div", { class: isLarge ? "words emoji" : "words", dir: "auto" }, formatted(text));
}

/** Shows the message that another one answers, by its text if it is known. */
function quoteOf(id, quoted) {
  const who = quoted?.kind === "message" ? "Business" : "Recipient";
  return element("div", { class: `quoted ${quoted?.kind ?? "nowhere"}` },
    element("b", {}, quoted ? who : "An earlier message"),
    element("p", { dir: "auto" }, quoted ? withoutMarks(quoted.words) || quoted.data.type : `Message ${id} is not in this inbox`),
  );
}
