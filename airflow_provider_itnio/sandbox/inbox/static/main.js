// The inbox page: joins what comes, the two panes and what a person does.

import { Chat } from "./components/chat.js";
import { ConversationList, FAILURES } from "./components/conversations.js";
import { openDialog } from "./components/dialog.js";
import { button, element, icon } from "./lib/dom.js";
import { FailureList } from "./components/failures.js";
import { Inbox, search } from "./lib/model.js";
import { openRequest } from "./components/request_dialog.js";
import { RunningSandbox, SavedInbox } from "./lib/sources.js";

const STATES = { live: "Live", lost: "Reconnecting …", saved: "Saved" };
const ANNOUNCE_EVERY = 1000;

const [state, save, clear, searched, announcement, trouble] = [
  "state", "save", "clear", "search", "announcement", "trouble",
].map((id) => document.getElementById(id));
const pane = document.getElementById("chat");
const saved = document.getElementById("kept");
const source = saved ? new SavedInbox(saved.textContent) : new RunningSandbox();

const inbox = new Inbox();
let chosen = "";
let query = "";
let drawn = false;
let unannounced = 0;
let left;

const list = new ConversationList(document.getElementById("conversations"), (number) => choose(number));
const actions = {
  open: tried(async (entry) => {
    const opened = await source.open(entry.number);
    // Asked for twice, it is opened once.
    if (!document.querySelector("dialog[open]")) openRequest(opened);
  }),
  answer: source.answer && tried(async (reply) => {
    const [number, searchedFor] = [chosen, query];
    const kept = await source.answer(reply);
    if (chosen === number && query === searchedFor) {
      find("");
      chat.showEnd();
    }
    return kept;
  }),
  back: () => choose(""),
  showAll: () => find(""),
};
const chat = new Chat(inbox, actions);
const failures = new FailureList(inbox, actions);

save.append(icon("save"));
clear.append(icon("clear"));
if (saved) for (const tool of [save, clear]) tool.remove();

source.follow({
  hello: ({ keep, open_windows: openWindows }) => Object.assign(inbox, { keep, openWindows }),
  items: (items) => {
    inbox.add(items);
    announce(items.filter((one) => one.message).length);
    draw();
  },
  clear: () => {
    inbox.clear();
    // Another sandbox counts from 1 again, so nothing drawn may be taken for what comes next.
    list.forget();
    chat.forget();
    draw();
  },
  state: (name) => {
    if (name === "live") trouble.hidden = true;
    state.textContent = STATES[name];
    state.className = `state ${name}`;
    draw();
  },
});

addEventListener("hashchange", readAddress);
addEventListener("keydown", onKey);
searched.addEventListener("input", () => find(searched.value));
clear.addEventListener("click", confirmClear);
readAddress();

/** Draws at most once a frame, however much came. */
function draw() {
  if (drawn) return;
  drawn = true;
  requestAnimationFrame(() => {
    drawn = false;
    if (document.activeElement !== document.body) left ??= chosen;
    const finds = query.trim() ? search(query) : undefined;
    const messages = [...inbox.conversations.values()].reduce((sum, one) => sum + one.entries.length, 0);
    document.title = `${messages ? `(${messages}) ` : ""}Inbox · itnio-sandbox`;
    list.draw(inbox, { chosen, finds });
    if (chosen === FAILURES) failures.draw(pane, finds);
    else chat.draw(pane, chosen, { query, finds });
    if (left !== undefined) takeKeyboard();
  });
}

function choose(number) {
  if (number === chosen) return;
  location.hash = number;
}

function readAddress() {
  if (document.activeElement !== document.body) left = chosen;
  chosen = /^#(\d+|refused)$/.exec(location.hash)?.[1] ?? "";
  document.body.dataset.pane = chosen ? "chat" : "list";
  draw();
}

/** Goes on in the pane that is shown if what had the keyboard is gone, or is out of sight on a phone's width. */
function takeKeyboard() {
  const from = left;
  left = undefined;
  if (document.activeElement?.checkVisibility() && document.activeElement !== document.body) return;
  if (!chosen) list.focus(from);
  else if (chosen === FAILURES) failures.focus();
  else chat.focus();
  if (document.activeElement === document.body) searched.focus();
}

function find(text) {
  query = text;
  searched.value = text;
  draw();
}

function onKey(event) {
  const writing = event.target.matches?.("input, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]") || event.isComposing) return;
  if (event.key === "/" && !writing) {
    event.preventDefault();
    searched.focus();
    searched.select();
  }
  if (event.key === "Escape") {
    if (query) find("");
    else if (event.target === searched) searched.blur();
    else if (chosen && matchMedia("(max-width: 46rem)").matches) choose("");
    else list.focus();
  }
}

function confirmClear() {
  const dialog = openDialog({
    name: "question",
    title: "Clear the inbox?",
    body: [
      element("p", {}, "Messages, replies and refused requests are forgotten, here and in the JSON API."),
      element(
        "p",
        { class: "answers" },
        button({ autofocus: true, onclick: () => dialog.close() }, "Keep"),
        button({ class: "danger", onclick: tried(async () => { dialog.close(); await source.clear(); }) }, "Clear"),
      ),
    ],
  });
}

/** Says to screen readers how much came, not more often than can be listened to. */
function announce(count) {
  if (count && !unannounced) {
    setTimeout(() => {
      announcement.textContent = unannounced === 1 ? "1 new message" : `${unannounced} new messages`;
      unannounced = 0;
    }, ANNOUNCE_EVERY);
  }
  unannounced += count;
}

/** Shows what went wrong instead of losing it. */
function tried(does) {
  return async (...given) => {
    trouble.hidden = true;
    try {
      return await does(...given);
    } catch (error) {
      trouble.textContent = `That did not work: ${error.message}`;
      trouble.hidden = false;
      return undefined;
    }
  };
}
