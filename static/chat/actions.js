/** What a person can do, as functions that talk to the server and tell the store. No markup here. */

import { signal } from "@preact/signals";
import { moveAhead, putAhead, takeAhead, waitingIn } from "./ahead.js";
import * as api from "./api.js";
import { Branches } from "./branches.js";
import { areReady, chosen, documentsIn, putBackDocuments, takeDocuments } from "./documents.js";
import { Drafts, editOf, Outbox } from "./drafts.js";
import { chosenPreset, need, paramsOf, presets, temporary } from "./library.js";
import { listConversations } from "./listing.js";
import { dismissToast, notify, unseen } from "./notices.js";
import { activeIn, cursors, isActive, LOCAL } from "./reducer.js";
import { target } from "./search.js";
import { ChatSocket } from "./socket.js";
import { dispatch, receive, state } from "./store.js";
import { t } from "./i18n.js";
import * as tree from "./tree.js";

export const drafts = new Drafts(localStorage);
const branches = new Branches(localStorage);

/** What the composer of the shown conversation holds. `focus` counts up to ask for the keyboard. */
export const draft = signal("");
export const focusAsked = signal(0);

/** The question being edited: `{conversation, message}` or null. */
export const editing = signal(null);

/** Conversations answered elsewhere that are read, so that their end is noticed here. */
const MOST_WATCHED = 5;

let socket;
let greeted = false;

const isLocal = (id) => !id || id.startsWith(LOCAL);

/** Connect, list the conversations, open the one that the address names. */
export function start({ conversation }) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  socket = new ChatSocket({
    url: `${scheme}//${location.host}/ws/chat/`,
    onFrame: heard,
    onConnection: ({ state: name, code }) => dispatch({ type: "connection", state: name, code }),
    cursors: () => cursors(state.value),
    outbox: new Outbox(sessionStorage),
  });
  socket.connect();
  window.addEventListener("online", () => socket.networkBack());
  window.addEventListener("offline", () => socket.networkLost());
  document.addEventListener("visibilitychange", shownAgain);
  window.addEventListener("popstate", () => open(conversationInAddress(), { push: false, message: messageInAddress() }));
  window.addEventListener("pagehide", leaveTemporary);
  listConversations();
  open(conversation, { push: false, message: messageInAddress() });
}

function shownAgain() {
  if (document.hidden) return;
  unseen.value = false;
  socket.hurry();
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

export const reconnect = () => socket.hurry();

/** `asked` is the frame that an accepted or rejected answers, from this page or from before its reload. */
function heard(frame, asked) {
  const known = state.value.sent[frame.id];
  if (frame.type === "rejected") takeBack(asked, known);
  receive(frame);
  if (frame.type === "hello") catchUp(frame);
  if (frame.type === "accepted") settleAddress(frame, known);
  if (frame.type === "finished") goOn(frame);
  if (frame.type === "changed") refresh(frame.conversation);
}

/** An answer is over: what was typed ahead goes out, or back where it was written if the answer was stopped. */
function goOn({ generation, finish_reason: reason }) {
  const conversation = state.value.generations[generation]?.conversation;
  if (!conversation) return;
  if (reason !== "cancelled") {
    unseen.value = document.hidden;
    if (conversation !== state.value.current) tellReady(conversation);
  }
  if (!waitingIn(conversation).length || activeIn(state.value, conversation)) return;
  if (reason === "cancelled") giveBack(conversation);
  else sendAhead(conversation);
}

function tellReady(conversation) {
  const item = state.value.list.items.find((one) => one.id === conversation) ?? state.value.conversations[conversation];
  notify({ key: "answer_ready", values: { title: item?.title ?? "" }, go: () => open(conversation) });
}

function sendAhead(conversation) {
  const { tree: held } = state.value.conversations[conversation];
  submit(takeAhead(conversation), conversation, tree.leafOf(held)?.id ?? null);
}

/** What was typed ahead stands in the field again. */
export function giveBack(conversation) {
  const texts = [drafts.get(conversation)];
  while (waitingIn(conversation).length) texts.push(takeAhead(conversation));
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
  const ended = Object.values(state.value.generations).filter((one) => isActive(one) && !one.local && !running.has(one.id));
  const stale = new Set([...ended.map((one) => one.conversation), state.value.current]);
  for (const id of stale) if (!isLocal(id)) refresh(id);
}

/** A refused question goes back where it was written, unless something new stands there already. */
function takeBack(asked, known) {
  if (asked?.type !== "submit") return;
  const shown = known ? state.value.current === known.conversation : state.value.current === asked.conversation;
  putBackDocuments(asked.conversation, known?.attachments ?? []);
  if (shown ? draft.value.trim() : drafts.get(asked.conversation)) return;
  drafts.set(asked.conversation, asked.content);
  if (shown) draft.value = asked.content;
}

/** A new conversation has got its id. One that was asked for before a reload is opened now. */
function settleAddress({ conversation }, known) {
  const { current } = state.value;
  if (known) moveAhead(known.conversation, conversation);
  if (!known) listConversations();
  if (!known && (current === null || current === conversation)) open(conversation, { push: false });
  if (state.value.current === conversation && conversationInAddress() !== conversation) history.replaceState(null, "", `/c/${conversation}`);
}

const conversationInAddress = () => /^\/c\/([0-9a-f-]{36})/.exec(location.pathname)?.[1] ?? null;

const messageInAddress = () => /^#m-([0-9a-f-]{36})$/.exec(location.hash)?.[1] ?? null;

// --- conversations ----------------------------------------------------------------------------------------------

/**
 * Show a conversation, or with null an empty page to begin one; at `message`, on the branch that holds it, with
 * `words` marked.
 */
export async function open(id, { push = true, message = null, words = [] } = {}) {
  const address = id ? `/c/${id}${message ? `#m-${message}` : ""}` : "/";
  if (push && address !== location.pathname + location.hash) history.pushState(null, "", address);
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
    notify({ key: "place_gone" });
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
    if (state.value.conversations[id]?.status === "ready") return;
    dispatch({ type: "load_failed", conversation: id, code: error.code, message: error.message });
    return;
  }
  if (state.value.conversations[id].preset) need("presets");
  for (const { generation, after } of cursors(state.value)) {
    if (state.value.generations[generation].conversation === id) socket.follow(generation, after);
  }
  if (waitingIn(id).length && !activeIn(state.value, id)) sendAhead(id);
}

/** What is shown has changed on the server, as far as this page knows. */
export const refreshShown = (id) => state.value.conversations[id]?.status === "ready" && fetchConversation(id);

/** Another tab or device changed a conversation. */
async function refresh(id) {
  listConversations();
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

/** Send what the composer holds, after the last message shown, or when the answer there is done. Returns whether it went. */
export function send({ beginning = false } = {}) {
  const content = draft.value;
  const { current, conversations } = state.value;
  const place = isLocal(current) ? null : current;
  const documents = documentsIn(place);
  if (documents.length ? !areReady(documents) : !content.trim()) return false;
  const held = conversations[current];
  if (current && held?.status !== "ready") return false;
  if (activeIn(state.value, current)) {
    if (documents.length) return false;
    putAhead(current, content);
  } else if (!submit(content, current, held ? tree.leafOf(held.tree)?.id ?? null : null, { documents, beginning })) return false;
  takeDocuments(place);
  drafts.set(isLocal(current) ? null : current, "");
  draft.value = "";
  return true;
}

/** Send with as much of the documents as fits. */
export const useBeginning = () => send({ beginning: true });

/** Daphne closes the socket over 1 MiB; this leaves room for the rest of the frame. */
const MOST_FRAME_BYTES = 1_000_000;

/** Why this text cannot even be sent: half a character, or more than a frame holds. */
function unsendable(content) {
  if (content.isWellFormed?.() === false) return "forbidden_text";
  return new Blob([JSON.stringify(content)]).size > MOST_FRAME_BYTES ? "too_long" : null;
}

/** Returns whether it was sent. */
function submit(content, conversation, parent, { documents = [], beginning = false } = {}) {
  const id = crypto.randomUUID();
  const code = unsendable(content);
  dispatch({ type: "dismissed" });
  if (code) {
    dispatch({ type: "refused", refusal: { id, kind: "submit", conversation, content, code, message: "", retryAfter: null } });
    return false;
  }
  const preset = conversation ? null : chosenPreset.value;
  const isTemporary = !conversation && temporary.value;
  dispatch({ type: "sent", id, conversation, parent, content, attachments: documents, preset, temporary: isTemporary, at: Date.now() });
  const frame = { type: "submit", id, content, conversation, parent, params: paramsIn(conversation ?? state.value.current) };
  if (documents.length) frame.attachments = chosen(documents, beginning);
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
export function goOnWriting(answer) {
  submit(t("continue_words"), state.value.current, answer.id);
}

/** An answer in the person's own words, beside the given one. */
export async function editAnswer(message, content) {
  editing.value = null;
  if (!content.trim() || content === message.content) return;
  const { current } = state.value;
  try {
    const edited = await api.editAnswer(message.id, content);
    await fetchConversation(current);
    show(edited.id);
  } catch (error) {
    drafts.set(editOf(message.id), content);
    notify({ failed: error });
  }
}

/** Delete a message and all that follows it, at once; the notice brings them back. */
export async function removeMessage(message) {
  const { current } = state.value;
  editing.value = null;
  target.value = null;
  dispatch({ type: "message_removed", conversation: current, message: message.id });
  branches.set(current, null);
  try {
    const { count } = await api.deleteMessage(message.id);
    notify({ key: "message_deleted", values: { count }, undo: () => restoreMessage(current, message.id) });
  } catch (error) {
    notify({ failed: error });
    await refreshShown(current);
  }
}

async function restoreMessage(conversation, message) {
  dismissToast();
  try {
    await api.restoreMessage(message);
    await refreshShown(conversation);
    if (state.value.current === conversation) show(message);
  } catch (error) {
    notify({ failed: error });
  }
}

/** Thumbs at once, and back where the server refuses. */
export async function rate(message, value, comment = "") {
  const conversation = state.value.current;
  const before = message.feedback;
  dispatch({ type: "rated", conversation, message: message.id, feedback: value ? { value, comment } : null });
  try {
    await api.rate(message.id, value, comment);
  } catch (error) {
    dispatch({ type: "rated", conversation, message: message.id, feedback: before });
    notify({ failed: error });
  }
}

/** Ask a question in other words: a sibling of the message, with its own branch. */
export function edit(message, content) {
  editing.value = null;
  const documents = message.attachments ?? [];
  if ((!content.trim() && !documents.length) || content === message.content) return;
  submit(content, state.value.current, message.parent, { documents, beginning: documents.some((one) => one.given != null) });
}

/** Answer again: a sibling of the answer; or, of a question whose answer was deleted, a new one. */
export function regenerate(message) {
  const id = crypto.randomUUID();
  const { current: conversation } = state.value;
  dispatch({ type: "dismissed" });
  dispatch({ type: "regenerating", id, conversation, question: message.role === "user" ? message.id : message.parent, message: message.id, at: Date.now() });
  socket.ask({ type: "regenerate", id, message: message.id, params: paramsIn(conversation) });
  branches.set(conversation, null);
}

/** Try again what was refused. */
export function retry(refusal) {
  if (refusal.kind === "submit") send();
  else regenerate(tree.branch(state.value.conversations[refusal.conversation].tree).find((one) => one.id === refusal.message));
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
