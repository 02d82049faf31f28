/**
 * The page's state and every way it changes. Pure: `reduce(state, event)` gives the next state.
 *
 * Events are the server's frames as they come (docs/protocol.md), results of HTTP calls, and what the person does.
 * The rules of the stream: text with a seq that is already known is dropped; a snapshot replaces what is held;
 * `finished` closes. A generation holds the text of its answer, so a token touches one small object and no tree.
 */

import { SOON_S } from "./format.js";
import * as messages from "./tree.js";

const ACTIVE = new Set(["queued", "running"]);
/** @type {Record<Wire.FinishReason, Page.Generation["status"]>} */
const STATUS_OF_REASON = {
  stop: "finished",
  length: "finished",
  cancelled: "cancelled",
  timeout: "timed_out",
  interrupted: "interrupted",
  error: "failed",
};

/** An optimistic thing carries the id of the frame that asks for it, with this before it. */
export const LOCAL = "local:";

/** The length of a title, as on the server. */
const TITLE_CHARS = 60;

/** @type {Page.State} */
export const initialState = {
  connection: { state: "connecting", code: null },
  engine: null,
  maxContentChars: null,
  quota: [],
  notices: [],
  announcement: null,
  current: null,
  conversations: {},
  generations: {},
  sent: {},
  busy: {},
  list: { items: [], next: null, folders: [], status: "loading" },
};

export const isActive = (/** @type {Page.Generation | null} */ generation) =>
  Boolean(generation) && ACTIVE.has(generation.status);

/** The generations that this page shows and that are not over, with the last seq known of each. */
export function cursors(/** @type {Page.State} */ state) {
  const running = Object.values(state.generations).filter((one) => isActive(one) && !one.local);
  return running.map((one) => ({ generation: one.id, after: one.seq }));
}

/** The generation that is queued or running on the shown path of a conversation, or null. */
export function activeIn(/** @type {Page.State} */ state, conversation) {
  const tree = state.conversations[conversation]?.tree;
  const leaf = tree ? messages.leafOf(tree) : null;
  const generation = leaf?.generation ? state.generations[leaf.generation] : null;
  return isActive(generation) ? generation : null;
}

/**
 * @type {<P extends "conversations" | "generations" | "sent">(
 *   state: Page.State, part: P, id: string, fields: Partial<Page.State[P][string]>) => Page.State}
 */
const put = (state, part, id, fields) => ({
  ...state,
  [part]: { ...state[part], [id]: { ...state[part][id], ...fields } },
});

function without(object, key) {
  const { [key]: _, ...rest } = object;
  return rest;
}

/** @type {(state: Page.State, conversation: string, change: (tree: Page.Tree) => Page.Tree) => Page.State} */
function onTree(state, conversation, change) {
  const held = state.conversations[conversation];
  return held ? put(state, "conversations", conversation, { tree: change(held.tree) }) : state;
}

/** @type {(state: Page.State, item: Page.ListItem) => Page.State} */
function withItem(state, item) {
  const others = state.list.items.filter((one) => one.id !== item.id);
  return { ...state, list: { ...state.list, items: [item, ...others] } };
}

// --- what the person does ---------------------------------------------------------------------------------------

/** @type {Page.Handlers["sent"]} */
function sent(state, { id, conversation, parent, content, attachments = [], preset = null, temporary = false, at }) {
  const key = conversation ?? LOCAL + id;
  let next = state;
  if (!conversation) {
    next = put(next, "conversations", key, {
      id: key,
      key,
      title: titleOf(content || (attachments[0]?.name ?? "")),
      preset,
      temporary,
      status: "ready",
      tree: messages.emptyTree,
    });
    next = { ...next, current: key };
  }
  next = onTree(next, key, (tree) =>
    messages.add(tree, {
      id: LOCAL + id,
      key: id,
      parent,
      role: "user",
      content,
      attachments,
      created_at: at,
      generation: null,
    }),
  );
  next = withAnswer(next, { id, conversation: key, parent: LOCAL + id, at });
  return put(next, "sent", id, { id, conversation: key, content, attachments, parent, at, kind: "submit" });
}

/** @type {Page.Handlers["regenerating"]} */
function regenerating(state, { id, conversation, question, message, at }) {
  const next = withAnswer(state, { id, conversation, parent: question, at });
  return put(next, "sent", id, { id, conversation, message, at, kind: "regenerate" });
}

function withAnswer(state, { id, conversation, parent, at }) {
  const answer = `${LOCAL}${id}:answer`;
  const generation = LOCAL + id;
  const node = { id: answer, key: `${id}:answer`, parent, role: "assistant", content: "", created_at: at, generation };
  const next = onTree(state, conversation, (tree) => messages.add(tree, node));
  /** @type {Page.Generation} */
  const fresh = {
    id: generation,
    conversation,
    answer,
    status: "queued",
    seq: 0,
    text: "",
    reasoning: "",
    local: true,
  };
  return put(next, "generations", generation, fresh);
}

/** A title as the server makes it: the first words on one line. */
export function titleOf(content) {
  const line = content.trim().split(/\s+/).join(" ");
  return line.length > TITLE_CHARS ? `${line.slice(0, TITLE_CHARS - 1).trimEnd()}…` : line;
}

// --- what the server says ---------------------------------------------------------------------------------------

/** @type {Page.Handlers["accepted"]} */
function accepted(state, { id, conversation, message, answer, generation, first_message: first = null }) {
  const asked = state.sent[id];
  /** @type {Page.Generation} */
  const fresh = { id: generation, conversation, answer, status: "queued", seq: 0, text: "", reasoning: "" };
  // Asked before a reload: its stream begins now, and its text is known from the first word.
  if (!asked) return put(state, "generations", generation, { ...fresh, ...state.generations[generation] });
  let next = { ...state, sent: without(state.sent, id), generations: without(state.generations, LOCAL + id) };
  if (asked.conversation !== conversation) next = renameConversation(next, asked.conversation, conversation);
  next = onTree(next, conversation, (held) => {
    const tree = messages.rename(held, LOCAL + id, message);
    return messages.update(messages.rename(tree, `${LOCAL}${id}:answer`, answer), answer, { generation });
  });
  const known = next.generations[generation];
  next = put(next, "generations", generation, { ...fresh, ...known, first_message: first, asked_at: asked.at });
  const held = next.conversations[conversation];
  if (held?.temporary) return next;
  const item = next.list.items.find((one) => one.id === conversation);
  return withItem(next, { id: conversation, title: held?.title ?? "", pinned: false, ...item, updated_at: asked.at });
}

function renameConversation(state, from, to) {
  const held = state.conversations[from];
  if (!held) return state;
  const conversations = {
    ...without(state.conversations, from),
    [to]: state.conversations[to] ?? { ...held, id: to },
  };
  return { ...state, conversations, current: state.current === from ? to : state.current };
}

/** @type {Page.Handlers["rejected"]} */
function rejected(state, { id, code, message, retry_after_s: retryAfter, needed, most }) {
  const asked = state.sent[id];
  if (!asked) return state;
  let next = { ...state, sent: without(state.sent, id), generations: without(state.generations, LOCAL + id) };
  const doomed = asked.kind === "submit" ? LOCAL + id : `${LOCAL}${id}:answer`;
  next = onTree(next, asked.conversation, (tree) => messages.remove(tree, doomed));
  const refusal = {
    ...asked,
    code,
    message,
    retryAfter: retryAfter ?? null,
    needed: needed ?? null,
    most: most ?? null,
  };
  if (asked.conversation.startsWith(LOCAL)) {
    next = { ...next, conversations: without(next.conversations, asked.conversation) };
    refusal.conversation = null;
    if (next.current === asked.conversation) next = { ...next, current: null };
  }
  return { ...next, refusal };
}

/** @type {(state: Page.State, id: string, fields: Partial<Page.Generation>) => Page.State} */
function onGeneration(state, id, fields) {
  return isActive(state.generations[id]) ? put(state, "generations", id, fields) : state;
}

/**
 * A position in the queue. "Any moment", said again after the moment has passed, is the estimate that was missed.
 * @type {Page.Handlers["queued"]}
 */
function queued(state, { generation, position, eta_s: eta, at }) {
  const held = state.generations[generation];
  const missed = held?.eta != null && at > held.eta_at + held.eta * 1000;
  return onGeneration(
    state,
    generation,
    missed && eta != null && eta < SOON_S ? { position } : { position, eta, eta_at: at },
  );
}

/** @type {Page.Handlers["delta"]} */
function delta(state, { generation, seq, text, reasoning }) {
  const held = state.generations[generation];
  if (!isActive(held) || seq <= held.seq) return state;
  return put(state, "generations", generation, {
    status: "running",
    seq,
    text: held.text + (text ?? ""),
    reasoning: held.reasoning + (reasoning ?? ""),
  });
}

/** @type {Page.Handlers["snapshot"]} */
function snapshot(state, { generation, seq, text, reasoning }) {
  const held = state.generations[generation];
  if (!isActive(held)) return state;
  return put(state, "generations", generation, {
    status: seq ? "running" : held.status,
    seq,
    text,
    reasoning: reasoning ?? "",
  });
}

/** @type {Page.Handlers["finished"]} */
function finished(state, { generation, seq, finish_reason: reason, usage, message }) {
  const held = state.generations[generation];
  const next = { ...state, busy: without(state.busy, generation) };
  if (!isActive(held)) return next;
  const over = { status: STATUS_OF_REASON[reason], finish_reason: reason, seq, usage, message: message ?? "" };
  return put(next, "generations", generation, { ...over, position: null, stopping: false });
}

/** @type {Page.Handlers["hello"]} */
function hello(state, { engine, max_content_chars: maxContentChars, active, announcement }) {
  const busy = Object.fromEntries(active.map((one) => [one.generation, one.conversation]));
  return { ...state, engine, maxContentChars, busy, announcement, connection: { state: "online", code: null } };
}

// --- what HTTP brings -------------------------------------------------------------------------------------------

/** @type {Page.Handlers["loaded"]} */
function loaded(state, { conversation }) {
  const { leaf, messages: rows, ...fields } = conversation;
  const { id } = fields;
  const held = state.conversations[id];
  let next = state;
  const nodes = rows.map((row) => ({ ...row, generation: row.generation?.id ?? null }));
  for (const row of rows) if (row.generation) next = withFetched(next, id, row);
  const server = messages.treeOf(nodes, leaf);
  const keep = (node) => node.id.startsWith(LOCAL) || isActive(next.generations[node.generation]);
  const tree = held?.tree ? messages.merge(held.tree, server, keep) : server;
  return put(next, "conversations", id, { ...fields, status: "ready", tree });
}

/**
 * The recorded generation. While its stream is followed, only its end is taken from the record: deltas may be joined,
 * so one that follows what the stream brought may hold the beginning of what the record has beyond that.
 */
function withFetched(state, conversation, { id: answer, content, reasoning, generation }) {
  const held = state.generations[generation.id];
  const over = !ACTIVE.has(generation.status);
  if (held && !over) return state;
  if (held && over && !isActive(held) && held.seq >= generation.seq) return state;
  const fields = { ...generation, conversation, answer, text: content, reasoning: reasoning ?? "" };
  return put(state, "generations", generation.id, { ...fields, stopping: false });
}

/**
 * A page of the list, asked for at `since`: what was begun here meanwhile is not on it yet, and stays.
 * @type {Page.Handlers["listed"]}
 */
function listed(state, { conversations, next, append, folders, since = Infinity }) {
  const known = new Set(conversations.map((one) => one.id));
  const before = state.list.items.filter((one) => !known.has(one.id) && (append || +one.updated_at >= since));
  return {
    ...state,
    list: { items: [...before, ...conversations], next, folders: folders ?? state.list.folders, status: "ready" },
  };
}

/** @type {Page.Handlers["patched"]} */
function patched(state, { item }) {
  const items = state.list.items.map((one) => (one.id === item.id ? { ...one, ...item } : one));
  const next = { ...state, list: { ...state.list, items } };
  return next.conversations[item.id] ? put(next, "conversations", item.id, item) : next;
}

/** @type {Page.Handlers["removed"]} */
function removed(state, { conversation }) {
  const items = state.list.items.filter((one) => one.id !== conversation);
  const current = state.current === conversation ? null : state.current;
  return {
    ...state,
    current,
    conversations: without(state.conversations, conversation),
    list: { ...state.list, items },
  };
}

/** @type {Page.Handlers} */
const HANDLERS = {
  // the person
  sent,
  regenerating,
  opened: (state, { conversation }) =>
    conversation && !state.conversations[conversation]
      ? put({ ...state, current: conversation }, "conversations", conversation, {
          id: conversation,
          status: "loading",
          tree: null,
        })
      : { ...state, current: conversation },
  chosen: (state, { conversation, message }) => onTree(state, conversation, (tree) => messages.choose(tree, message)),
  message_removed: (state, { conversation, message }) =>
    onTree(state, conversation, (tree) => messages.remove(tree, message)),
  rated: (state, { conversation, message, feedback }) =>
    onTree(state, conversation, (tree) => messages.update(tree, message, { feedback })),
  stopping: (state, { generation }) => onGeneration(state, generation, { stopping: true }),
  dismissed: (state) => ({ ...state, refusal: null }),
  refused: (state, { refusal }) => ({ ...state, refusal }),
  // the socket
  connection: (state, { state: name, code }) => ({ ...state, connection: { state: name, code: code ?? null } }),
  hello,
  announced: (state, { announcement }) => ({ ...state, announcement }),
  status: (state, { engine }) => ({ ...state, engine }),
  quota: (state, { budgets, notices = [] }) => ({ ...state, quota: budgets, notices }),
  notices_seen: (state) => ({ ...state, notices: [] }),
  accepted,
  rejected,
  queued,
  started: (state, { generation }) => onGeneration(state, generation, { status: "running", position: null }),
  delta,
  snapshot,
  finished,
  // HTTP
  loaded,
  load_failed: (state, { conversation, code, message }) =>
    put(state, "conversations", conversation, { id: conversation, status: "failed", code, message }),
  listed,
  list_failed: (state, { message }) => ({ ...state, list: { ...state.list, status: "failed", message } }),
  patched,
  removed,
  restored: (state, { item }) => withItem(state, item),
};

/** The state after an event. Events of an unknown type change nothing: the wire may grow. */
/** @type {(state: Page.State, event: Page.Event) => Page.State} */
export function reduce(state, event) {
  const handler = /** @type {any} */ (HANDLERS[event.type]);
  return handler ? handler(state, event) : state;
}
