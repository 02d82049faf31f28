/** What a person can do, as functions that talk to the server and tell the store. No markup here. */

import { signal } from "@preact/signals";
import * as api from "./api.js";
import { Drafts, Outbox } from "./drafts.js";
import { activeIn, cursors, isActive, LOCAL } from "./reducer.js";
import { target } from "./search.js";
import { ChatSocket } from "./socket.js";
import { dispatch, receive, state } from "./store.js";
import * as tree from "./tree.js";

export const drafts = new Drafts(localStorage);

/** What the composer of the shown conversation holds. `focus` counts up to ask for the keyboard. */
export const draft = signal("");
export const focusAsked = signal(0);

/** The question being edited: `{conversation, message}` or null. */
export const editing = signal(null);

/** A short notice with an optional way back: `{text, undo}` or null. */
export const toast = signal(null);

/** How long an undo is offered; the server keeps what was deleted for 60 s. */
const TOAST_MS = 10_000;

/** Conversations answered elsewhere that are read, so that their end is noticed here. */
const MOST_WATCHED = 5;

let socket;
let greeted = false;
let toastTimer;

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
  window.addEventListener("online", () => socket.hurry());
  document.addEventListener("visibilitychange", () => document.hidden || socket.hurry());
  window.addEventListener("popstate", () => open(conversationInAddress(), { push: false, message: messageInAddress() }));
  listConversations();
  open(conversation, { push: false, message: messageInAddress() });
}

export const reconnect = () => socket.hurry();

/** `asked` is the frame that an accepted or rejected answers, from this page or from before its reload. */
function heard(frame, asked) {
  const known = state.value.sent[frame.id];
  if (frame.type === "rejected") takeBack(asked, known);
  receive(frame);
  if (frame.type === "hello") catchUp(frame);
  if (frame.type === "accepted") settleAddress(frame, known);
  if (frame.type === "changed") refresh(frame.conversation);
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
  if (shown ? draft.value.trim() : drafts.get(asked.conversation)) return;
  drafts.set(asked.conversation, asked.content);
  if (shown) draft.value = asked.content;
}

/** A new conversation has got its id. One that was asked for before a reload is opened now. */
function settleAddress({ conversation }, known) {
  const { current } = state.value;
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
  target.value = null;
  dispatch({ type: "opened", conversation: id });
  editing.value = null;
  draft.value = drafts.get(id);
  focusAsked.value += 1;
  if (!isLocal(id) && state.value.conversations[id].status !== "ready") await fetchConversation(id);
  if (message && state.value.conversations[id]?.tree?.nodes[message]) {
    dispatch({ type: "chosen", conversation: id, message });
    target.value = { message, words };
  }
}

/** Read a conversation anew and follow what runs in it. */
async function fetchConversation(id) {
  try {
    dispatch({ type: "loaded", conversation: await api.getConversation(id) });
  } catch (error) {
    if (state.value.conversations[id]?.status === "ready") return;
    dispatch({ type: "load_failed", conversation: id, code: error.code, message: error.message });
    return;
  }
  for (const { generation, after } of cursors(state.value)) {
    if (state.value.generations[generation].conversation === id) socket.follow(generation, after);
  }
}

/** Another tab or device changed a conversation. */
async function refresh(id) {
  listConversations();
  if (state.value.conversations[id]?.status === "ready") await fetchConversation(id);
}

export const retryOpen = (id) => {
  dispatch({ type: "removed", conversation: id });
  return open(id, { push: false });
};

export async function listConversations({ more = false } = {}) {
  const before = more ? state.value.list.next : null;
  if (more && !before) return;
  try {
    dispatch({ type: "listed", append: more, ...(await api.listConversations(before)) });
  } catch (error) {
    dispatch({ type: "list_failed", message: error.message });
  }
}

/** Change title or pin at once, and change back where the server refuses. */
export async function patch(item, fields) {
  dispatch({ type: "patched", item: { id: item.id, ...fields } });
  try {
    dispatch({ type: "patched", item: await api.patchConversation(item.id, fields) });
  } catch (error) {
    dispatch({ type: "patched", item });
    notify({ failed: error });
  }
}

/** Delete at once; the toast brings it back. */
export async function remove(item) {
  if (state.value.current === item.id) open(null);
  dispatch({ type: "removed", conversation: item.id });
  try {
    await api.deleteConversation(item.id);
    notify({ key: "deleted", values: { title: item.title }, undo: () => restore(item) });
  } catch (error) {
    dispatch({ type: "restored", item });
    notify({ failed: error });
  }
}

async function restore(item) {
  dismissToast();
  try {
    await api.restoreConversation(item.id);
    dispatch({ type: "restored", item });
    listConversations();
  } catch (error) {
    notify({ failed: error });
  }
}

export function notify(notice) {
  clearTimeout(toastTimer);
  toast.value = notice;
  toastTimer = setTimeout(dismissToast, TOAST_MS);
}

export const dismissToast = () => {
  toast.value = null;
};

// --- questions and answers --------------------------------------------------------------------------------------

export function write(text) {
  draft.value = text;
  const { current } = state.value;
  drafts.set(isLocal(current) ? null : current, text);
}

/** Send what the composer holds, after the last message shown. Returns whether it was sent. */
export function send() {
  const content = draft.value;
  const { current, conversations } = state.value;
  if (!content.trim() || activeIn(state.value, current)) return false;
  const held = conversations[current];
  if (current && held?.status !== "ready") return false;
  if (!submit(content, current, held ? tree.leafOf(held.tree)?.id ?? null : null)) return false;
  drafts.set(current, "");
  draft.value = "";
  return true;
}

/** Daphne closes the socket over 1 MiB; this leaves room for the rest of the frame. */
const MOST_FRAME_BYTES = 1_000_000;

/** Why this text cannot even be sent: half a character, or more than a frame holds. */
function unsendable(content) {
  if (content.isWellFormed?.() === false) return "forbidden_text";
  return new Blob([JSON.stringify(content)]).size > MOST_FRAME_BYTES ? "too_long" : null;
}

/** Returns whether it was sent. */
function submit(content, conversation, parent) {
  const id = crypto.randomUUID();
  const code = unsendable(content);
  dispatch({ type: "dismissed" });
  if (code) {
    dispatch({ type: "refused", refusal: { id, kind: "submit", conversation, content, code, message: "", retryAfter: null } });
    return false;
  }
  dispatch({ type: "sent", id, conversation, parent, content, at: Date.now() });
  socket.ask({ type: "submit", id, content, conversation, parent });
  return true;
}

/** Ask a question in other words: a sibling of the message, with its own branch. */
export function edit(message, content) {
  editing.value = null;
  if (!content.trim() || content === message.content) return;
  submit(content, state.value.current, message.parent);
}

/** Answer again: a sibling of the answer. */
export function regenerate(answer) {
  const id = crypto.randomUUID();
  const { current: conversation } = state.value;
  dispatch({ type: "dismissed" });
  dispatch({ type: "regenerating", id, conversation, question: answer.parent, message: answer.id, at: Date.now() });
  socket.ask({ type: "regenerate", id, message: answer.id });
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

export const show = (message) => dispatch({ type: "chosen", conversation: state.value.current, message });
