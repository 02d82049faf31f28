/** What a person can do, as functions that talk to the server and tell the store. No markup here. */

import { signal } from "@preact/signals";
import { moveQueued, queueMessage, takeQueued, queuedIn } from "./queued-messages.js";
import * as api from "./api.js";
import { areReady, chosen, documentsIn, restoreDocuments, takeDocuments } from "./documents.js";
import { Branches, Drafts, editOf, Outbox } from "./drafts.js";
import { chosenPreset, need, paramsOf, presets, temporary } from "./library.js";
import { listConversations } from "./listing.js";
import { notify, unseen } from "./notices.js";
import { activeIn, cursors, isActive, LOCAL } from "./reducer.js";
import { target } from "./search.js";
import { ChatSocket } from "./socket.js";
import { dispatch, hidden, receive, state } from "./store.js";
import { t } from "./i18n.js";
import * as tree from "./tree.js";

export const drafts = new Drafts(localStorage);
export const branches = new Branches(localStorage);

/** What the composer of the shown conversation holds. `focus` counts up to ask for the keyboard. */
export const draft = signal("");
export const focusAsked = signal(0);

/** The question being edited: `{conversation, message}` or null. */
export const editing = signal(null);

/** Conversations answered elsewhere that are read, so that their end is noticed here. */
const MOST_WATCHED = 5;

/** Changes that come together are listed together. */
const RELIST_MS = 50;

/** @type {ChatSocket} */
let socket;
/** @type {Page.Browser} */
let browser;
let greeted = false;

const isLocal = (id) => !id || id.startsWith(LOCAL);

/** Connect, list the conversations, open the one that the address names. `page` is the browser around it. */
export function start({ conversation }, page) {
  browser = page;
  socket = new ChatSocket({
    url: browser.socketUrl(),
    onFrame,
    onConnection: ({ state: name, code }) => dispatch({ type: "connection", state: name, code }),
    cursors: () => cursors(state.value),
    outbox: new Outbox(sessionStorage),
  });
  socket.connect();
  browser.on("online", () => socket.networkBack());
  browser.on("offline", () => socket.networkLost());
  browser.on("popstate", () => open(browser.conversation(), { push: false, message: browser.message() }));
  browser.on("pagehide", leaveTemporary);
  hidden.subscribe(visibilityChanged);
  listConversations();
  open(conversation, { push: false, message: browser.message() });
}

function visibilityChanged(isHidden) {
  if (isHidden) return;
  unseen.value = false;
  socket.connectNow();
}

/** A temporary chat ends when its page leaves it; its content is erased a minute later. */
function leaveTemporary() {
  const { current, conversations } = state.value;
  const { temporary: ends, tree: held } = conversations[current] ?? {};
  if (isLocal(current) || !ends) return;
  api.leaveTemporary(current).catch(() => {});
  for (const place of [current, ...Object.keys(held?.nodes ?? {}).map(editOf)]) drafts.set(place, "");
  dispatch({ type: "removed", conversation: current });
}

export const reconnect = () => socket.connectNow();

/**
 * `asked` is the frame that an accepted or rejected answers, from this page or from before its reload.
 * @type {Page.SocketOptions["onFrame"]}
 */
function onFrame(frame, asked) {
  const known = "id" in frame ? state.value.sent[frame.id] : undefined;
  if (frame.type === "rejected") restoreRefused(asked, known);
  receive(frame);
  if (frame.type === "hello") catchUp(frame);
  if (frame.type === "accepted") settleAddress(frame, known);
  if (frame.type === "finished") afterAnswer(frame);
  if (frame.type === "changed") refresh(frame.conversation);
}

/** An answer is over: the next queued message goes out, or all go back into the field if the answer was stopped. */
function afterAnswer({ generation, finish_reason: reason }) {
  const conversation = state.value.generations[generation]?.conversation;
  if (!conversation) return;
  if (reason !== "cancelled") {
    unseen.value = hidden.value;
    if (conversation !== state.value.current) notifyReady(conversation);
  }
  if (!queuedIn(conversation).length || activeIn(state.value, conversation)) return;
  if (reason === "cancelled") restoreDraft(conversation);
  else sendQueued(conversation);
}

function notifyReady(conversation) {
  const item =
    state.value.list.items.find((one) => one.id === conversation) ?? state.value.conversations[conversation];
  notify({ key: "answer_ready", values: { title: item?.title ?? "" }, go: () => open(conversation) });
}

function sendQueued(conversation) {
  const { tree: held } = state.value.conversations[conversation];
  submit(takeQueued(conversation), conversation, tree.leafOf(held)?.id ?? null);
}

/** Queued messages stand in the field again. */
export function restoreDraft(conversation) {
  const texts = [drafts.get(conversation)];
  while (queuedIn(conversation).length) texts.push(takeQueued(conversation));
  drafts.set(conversation, texts.filter(Boolean).join("\n\n"));
  if (state.value.current === conversation) draft.value = drafts.get(conversation);
}

/** After a reconnect: what ended meanwhile, or was written elsewhere, is read from the record. */
function catchUp({ active }) {
  for (const id of new Set(active.map((one) => one.conversation).slice(0, MOST_WATCHED))) {
    if (!state.value.conversations[id]) fetchConversation(id);
  }
  if (!greeted) {
    greeted = true;
    return;
  }
  const running = new Set(active.map((one) => one.generation));
  const ended = Object.values(state.value.generations).filter(
    (one) => isActive(one) && !one.local && !running.has(one.id),
  );
  const stale = new Set([...ended.map((one) => one.conversation), state.value.current]);
  for (const id of stale) if (!isLocal(id)) refresh(id);
}

/** A refused question goes back where it was written, unless something new stands there already. */
function restoreRefused(asked, known) {
  if (asked?.type !== "submit") return;
  const shown = known ? state.value.current === known.conversation : state.value.current === asked.conversation;
  restoreDocuments(asked.conversation, known?.attachments ?? []);
  if (shown ? draft.value.trim() : drafts.get(asked.conversation)) return;
  drafts.set(asked.conversation, asked.content);
  if (shown) draft.value = asked.content;
}

/** A new conversation has got its id. One that was asked for before a reload is opened now. */
function settleAddress({ conversation }, known) {
  const { current } = state.value;
  if (known) moveQueued(known.conversation, conversation);
  if (!known) listConversations();
  if (!known && (current === null || current === conversation)) open(conversation, { push: false });
  if (state.value.current === conversation && browser.conversation() !== conversation)
    browser.rename(`/c/${conversation}`);
}

// --- conversations ----------------------------------------------------------------------------------------------

/**
 * Show a conversation, or with null an empty page to begin one; at `message`, on the branch that holds it, with
 * `words` marked.
 */
export async function open(id, { push = true, message = null, words = [] } = {}) {
  const address = id ? `/c/${id}${message ? `#m-${message}` : ""}` : "/";
  if (push) browser.go(address);
  if (id !== state.value.current) leaveTemporary();
  temporary.value = false;
  target.value = null;
  dispatch({ type: "opened", conversation: id });
  editing.value = null;
  draft.value = drafts.get(id);
  focusAsked.value += 1;
  if (!isLocal(id) && state.value.conversations[id].status !== "ready") await fetchConversation(id);
  const { tree: held } = state.value.conversations[id] ?? {};
  if (!message || !held || state.value.current !== id) return;
  if (!held.nodes[message]) {
    notify({ key: "message_gone" });
    return;
  }
  dispatch({ type: "chosen", conversation: id, message });
  target.value = { message, words };
}

/** Read a conversation anew and follow what runs in it. */
async function fetchConversation(id) {
  try {
    const fresh = state.value.conversations[id]?.status !== "ready";
    dispatch({ type: "loaded", conversation: await api.getConversation(id) });
    if (fresh && state.value.conversations[id].tree.nodes[branches.get(id)]) {
      dispatch({ type: "chosen", conversation: id, message: branches.get(id) });
    }
  } catch (error) {
    if (state.value.conversations[id]?.status === "ready") {
      if (error.code === "not_found") leaveDeleted(id);
      return;
    }
    dispatch({ type: "load_failed", conversation: id, code: error.code, message: error.message });
    return;
  }
  if (state.value.conversations[id].preset) need("presets");
  for (const { generation, after } of cursors(state.value)) {
    if (state.value.generations[generation].conversation === id) socket.follow(generation, after);
  }
  if (queuedIn(id).length && !activeIn(state.value, id)) sendQueued(id);
}

/** What is shown has changed on the server, as far as this page knows. */
export const refreshShown = (id) => state.value.conversations[id]?.status === "ready" && fetchConversation(id);

/** It was deleted in another tab or on another device; what stands in the composer goes along. */
function leaveDeleted(id) {
  const { current, conversations, list } = state.value;
  const { title } = list.items.find((one) => one.id === id) ?? conversations[id];
  const typed = draft.value;
  if (id === current) open(null);
  dispatch({ type: "removed", conversation: id });
  if (id !== current) return;
  if (typed && !draft.value) write(typed);
  notify({ key: "deleted_elsewhere", values: { title: title || t("untitled") } });
}

let relisting = false;

/** The list is read once for many changes at once. */
function relist() {
  if (relisting) return;
  relisting = true;
  setTimeout(() => {
    relisting = false;
    listConversations();
  }, RELIST_MS);
}

/** Another tab or device changed a conversation. */
async function refresh(id) {
  relist();
  if (state.value.conversations[id]?.status === "ready") await fetchConversation(id);
}

export const retryOpen = (id) => {
  dispatch({ type: "removed", conversation: id });
  return open(id, { push: false });
};

// --- questions and answers --------------------------------------------------------------------------------------

export function write(text) {
  draft.value = text;
  const { current } = state.value;
  drafts.set(isLocal(current) ? null : current, text);
}

/** Send what the composer holds, after the last message shown or when the answer there is done. Whether it went. */
export function send({ truncate = false } = {}) {
  const content = draft.value;
  const { current, conversations } = state.value;
  const place = isLocal(current) ? null : current;
  const documents = documentsIn(place);
  if (documents.length ? !areReady(documents) : !content.trim()) return false;
  const held = conversations[current];
  if (current && held?.status !== "ready") return false;
  if (activeIn(state.value, current)) {
    if (documents.length) return false;
    queueMessage(current, content);
  } else if (!submit(content, current, held ? (tree.leafOf(held.tree)?.id ?? null) : null, { documents, truncate }))
    return false;
  takeDocuments(place);
  drafts.set(isLocal(current) ? null : current, "");
  draft.value = "";
  return true;
}

/** Send with as much of the documents as fits. */
export const sendTruncated = () => send({ truncate: true });

/** Daphne closes the socket over 1 MiB; this leaves room for the rest of the frame. */
const MOST_FRAME_BYTES = 1_000_000;

/** Why this text cannot even be sent: half a character, or more than a frame holds. */
function unsendable(content) {
  if (content.isWellFormed?.() === false) return "forbidden_text";
  return new Blob([JSON.stringify(content)]).size > MOST_FRAME_BYTES ? "too_long" : null;
}

/** Returns whether it was sent. */
function submit(content, conversation, parent, { documents = [], truncate = false } = {}) {
  const id = crypto.randomUUID();
  const code = unsendable(content);
  dispatch({ type: "dismissed" });
  if (code) {
    dispatch({
      type: "refused",
      refusal: { id, kind: "submit", conversation, content, code, message: "", retryAfter: null },
    });
    return false;
  }
  const preset = conversation ? null : chosenPreset.value;
  const isTemporary = !conversation && temporary.value;
  dispatch({
    type: "sent",
    id,
    conversation,
    parent,
    content,
    attachments: documents,
    preset,
    temporary: isTemporary,
    at: Date.now(),
  });
  /** @type {Wire.Submit} */
  const frame = {
    type: "submit",
    id,
    content,
    conversation,
    parent,
    params: paramsIn(conversation ?? state.value.current),
  };
  if (documents.length) frame.attachments = chosen(documents, truncate);
  socket.ask(conversation ? frame : { ...frame, preset, temporary: isTemporary });
  branches.set(conversation, null);
  return true;
}

/** Sampling of the preset with which a conversation began. */
function paramsIn(conversation) {
  const { preset } = state.value.conversations[conversation] ?? {};
  if (preset) need("presets");
  return paramsOf(presets.value?.find((one) => one.id === preset));
}

/** "Go on" is a question of its own, so that the cut answer stays as it was given. */
export function continueAnswer(answer) {
  submit(t("continue_words"), state.value.current, answer.id);
}

/** Ask a question in other words: a sibling of the message, with its own branch. */
export function edit(message, content) {
  editing.value = null;
  const documents = message.attachments ?? [];
  if ((!content.trim() && !documents.length) || content === message.content) return;
  submit(content, state.value.current, message.parent, {
    documents,
    truncate: documents.some((one) => one.given != null),
  });
}

/** Answer again: a sibling of the answer; or, of a question whose answer was deleted, a new one. */
export function regenerate(message) {
  const id = crypto.randomUUID();
  const { current: conversation } = state.value;
  dispatch({ type: "dismissed" });
  dispatch({
    type: "regenerating",
    id,
    conversation,
    question: message.role === "user" ? message.id : message.parent,
    message: message.id,
    at: Date.now(),
  });
  socket.ask({ type: "regenerate", id, message: message.id, params: paramsIn(conversation) });
  branches.set(conversation, null);
}

/** Try again what was refused. */
export function retry(refusal) {
  if (refusal.kind === "submit") send();
  else
    regenerate(
      tree.branch(state.value.conversations[refusal.conversation].tree).find((one) => one.id === refusal.message),
    );
}

/** Stop the answer that is being written here. Returns whether there was one. */
export function stop() {
  const generation = activeIn(state.value, state.value.current);
  if (!generation || generation.local) return false;
  dispatch({ type: "stopping", generation: generation.id });
  socket.cancel(generation.id);
  return true;
}

/** Show the branch of a message, also after a reload. */
export function show(message) {
  const { current } = state.value;
  dispatch({ type: "chosen", conversation: current, message });
  branches.set(current, tree.leafOf(state.value.conversations[current].tree)?.id);
}
