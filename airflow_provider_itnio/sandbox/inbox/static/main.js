// The inbox page: connects the data, the three panes and the user's actions.

import { makeChat } from "./components/chat.js";
import { makeConversationList } from "./components/conversations.js";
import { confirmClear } from "./components/dialogs.js";
import { makeFailureList } from "./components/failures.js";
import { makeFaultsPanel } from "./components/faults_panel.js";
import { makePane, PHONE } from "./components/pane.js";
import { showRequest } from "./components/request_pane.js";
import { makeWelcome } from "./components/welcome.js";
import { draw, icon } from "./lib/dom.js";
import { FAILURES, Inbox } from "./lib/model.js";
import { runningSandbox, savedInbox } from "./lib/sources.js";

const STATES = { live: "Live", lost: "Reconnecting …", saved: "Saved" };
const TYPING = 150;
const ADDRESS = /^#(\d*|refused)(?:\/([\w-]+))?$/;

const [state, save, faultsTool, clear, searched, announcement, trouble, main, saved] = [
  "state", "save", "faults", "clear", "search", "announcement", "trouble", "chat", "kept",
].map((id) => document.getElementById(id));
const source = saved ? savedInbox(saved.textContent) : runningSandbox();

const inbox = new Inbox(source, drawSoon);
let chosen = "";
let selected = "";
let opened = ""; // what the pane shows
let opensSheet = false;
let opensItself = true;
let startsAgain = false;
let searching;
let willDraw = false;
let unannounced = 0;
let left;

const actions = {
  open: ({ id }) => {
    opensSheet = true;
    opened = "";
    go(`#${chosen}/${id}`, { replaces: Boolean(selected) });
  },
  answer: source.answer && tried(async (reply) => {
    const [number, words] = [chosen, searched.value];
    const kept = await source.answer(reply);
    if (chosen === number && searched.value === words) showAnswered(number);
    return kept;
  }),
  back: () => choose(""),
  more: tried((part, side) => inbox.more(part, side)),
  toEnd: tried(() => inbox.toEnd()),
  showAll: () => find(""),
};
const list = makeConversationList(document.getElementById("conversations"), choose, tried(() => inbox.moreRows()));
const chat = makeChat(inbox, actions);
const failures = makeFailureList(inbox, actions);
const welcome = makeWelcome(source.connection && tried(source.connection), tried(source.sendTest));
const pane = makePane(document.getElementById("pane"), [document.querySelector(".side"), main], closePane);
const faults = source.faults && makeFaultsPanel(source, pane, faultsTool, tried);

for (const [tool, name] of [[save, "save"], [faultsTool, "fault"], [clear, "clear"]]) saved ? tool.remove() : draw(tool, icon(name));

readAddress();
source.follow({
  load: async () => {
    const cursor = await inbox.load();
    if (startsAgain) choose("");
    opensItself ||= startsAgain;
    startsAgain = false;
    return cursor;
  },
  items: (items) => {
    inbox.hear(items);
    unannounced += items.filter((one) => one.message).length;
    if (items.some(({ status }) => status?.id === opened)) opened = ""; // what was pushed since is shown too
    refreshFaults({ always: false });
  },
  state: (name) => {
    if (name === "live") {
      trouble.hidden = true;
      refreshFaults();
      inbox.catchUp();
    }
    state.textContent = STATES[name];
    state.className = `state ${name}`;
  },
});

addEventListener("found", drawSoon);
addEventListener("hashchange", readAddress);
addEventListener("keydown", onKey);
searched.addEventListener("input", () => find(searched.value, TYPING));
clear.addEventListener("click", () => confirmClear(tried(() => { startsAgain = true; return source.clear(); })));
faultsTool.addEventListener("click", () => {
  if (selected) go(`#${chosen}`, { replaces: true });
  faults.show();
  refreshFaults();
});

/** Draws at most once per frame. */
function drawSoon() {
  if (!willDraw) requestAnimationFrame(drawAll);
  willDraw = true;
}

function drawAll() {
  willDraw = false;
  if (!inbox.list) return;
  if (document.activeElement !== document.body) left ??= chosen;
  completeAddress();
  if (unannounced) announcement.textContent = unannounced === 1 ? "1 new message" : `${unannounced} new messages`;
  unannounced = 0;
  const { messages, failures: failed } = inbox.list.totals;
  const part = inbox.partOf(chosen);
  document.title = `${messages ? `(${messages}) ` : ""}Inbox · itnio-sandbox`;
  list.draw(inbox, chosen);
  if (chosen && !part) return; // what was shown stays until it is loaded
  const view = !chosen ? welcome : chosen === FAILURES ? failures : chat;
  if (!view.root.isConnected) main.replaceChildren(view.root);
  if (chosen) view.draw(part, selected);
  else view.draw(!messages && !failed);
  const entry = selected && part?.find(selected);
  if (entry && opened !== selected && (opensSheet || !PHONE.matches)) show(entry);
  if (left !== undefined) takeKeyboard(chosen ? view : list);
}

/** Opens the only conversation, or the conversation of the message in the page's address. */
function completeAddress() {
  const { named, query, list: { totals, conversations } } = inbox;
  if (!chosen && selected && named?.id === selected) go(`#${named.of}/${selected}`, { replaces: true });
  else if (!chosen && !selected && opensItself && totals.conversations === 1 && !query) go(`#${conversations[0].number}`, { replaces: true });
}

/** Shows the request of an entry, unless another one is opened before it is loaded. */
async function show(entry) {
  opened = entry.id;
  await tried(async () => {
    const exchange = await source.open(entry.number);
    if (opened === entry.id) showRequest(pane, exchange);
  })();
}

function closePane() {
  const had = pane.contains(document.activeElement) || pane.isSheet;
  const article = main.querySelector("article[aria-current]");
  pane.hide();
  if (selected) go(`#${chosen}`, { replaces: true });
  if (had) (article ?? faultsTool).focus({ preventScroll: true });
}

function choose(number) {
  if (number !== chosen) go(`#${number}`);
}

/** Goes to an address of the page. */
function go(address, { replaces = false } = {}) {
  history[replaces ? "replaceState" : "pushState"](null, "", address);
  readAddress({ keepsTrouble: replaces });
}

/** Shows the view of the page's address. An error stays visible if the page opened the view by itself. */
function readAddress({ keepsTrouble = false } = {}) {
  if (document.activeElement !== document.body) left = chosen;
  const before = selected;
  [, chosen = "", selected = ""] = ADDRESS.exec(location.hash) ?? [];
  if (chosen) opensItself = false;
  if (before && !selected) pane.hide();
  if (!selected) [opened, opensSheet] = ["", false];
  document.body.dataset.pane = chosen ? "chat" : "list";
  tried(() => inbox.show(chosen, selected), keepsTrouble)();
  drawSoon();
}

/** Moves the focus to the shown view if the focused element is gone, or hidden at a phone's width. */
function takeKeyboard(view) {
  const from = left;
  left = undefined;
  if (document.activeElement?.checkVisibility() && document.activeElement !== document.body) return;
  view.focus(from);
  if (document.activeElement === document.body) searched.focus();
}

/** Searches for words, or shows all again. */
async function find(text, wait = 0) {
  searched.value = text;
  clearTimeout(searching);
  if (wait) searching = setTimeout(() => find(text), wait);
  else if (text.trim() !== inbox.query) await tried(() => inbox.search(text))();
}

/** Shows the end of the chat, where the recipient's new reply is or will be, and its destination. */
async function showAnswered(number) {
  await find("");
  await chat.showEnd();
  await tried(async () => {
    const address = await source.webhook();
    if (chosen === number) chat.tellWhereItWent(address ? `Pushed to ${address}` : "Kept: no webhook set");
  })();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
  if (event.key === "/" && !event.target.matches?.("input, textarea, select") && !pane.isSheet) {
    event.preventDefault();
    searched.focus();
    searched.select();
  }
  if (event.key === "Escape") {
    if (searched.value && !pane.isSheet) find("");
    else if (pane.isOpen) closePane();
    else if (event.target === searched) searched.blur();
    else if (chosen && PHONE.matches) choose("");
    else list.focus();
  }
}

/** Loads the faults; a failure is shown by the connection's state. */
function refreshFaults(options) {
  faults?.refresh(options).catch(() => undefined);
}

/** Shows an error instead of losing it. */
function tried(does, keepsTrouble = false) {
  return async (...given) => {
    trouble.hidden ||= !keepsTrouble;
    try {
      return await does(...given);
    } catch (error) {
      trouble.textContent = `That did not work: ${error.message}`;
      trouble.hidden = false;
      return undefined;
    }
  };
}
