/**
 * The documents in composers, by conversation: being uploaded, ready, or unreadable. What the server has already
 * survives a reload of its tab; a file still under way does not, since the browser forgets it.
 */

import { signal } from "@preact/signals";
import * as api from "./api.js";
import { NEW } from "./drafts.js";
import { temporary } from "./library.js";
import { notify } from "./notices.js";
import { mayUse } from "./store.js";

const KEPT = "chatsite.documents";

/** Files of one person on their way at once: more would only share the same line. */
const AT_ONCE = 2;

/** Text of this length is a document rather than a message. */
export const PASTE_CHARS = 6_000;

const DONE = new Set(["ready", "unreadable"]);
const MOVING = new Set(["waiting", "sending", "reading"]);

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}

/** `{conversation: [document, …]}`. `state`: waiting, sending, reading, ready, unreadable, failed. */
const held = signal(kept());

/** Whether the documents in the new chat's composer shall get one answer each. */
export const batchMode = signal(false);

/** The dialogue box of files, and how a running upload is ended, by the document's key. */
const files = new Map();
const enders = new Map();

const keyOf = (conversation) => conversation ?? NEW;

export const documentsIn = (conversation) => held.value[keyOf(conversation)] ?? [];
export const areMoving = (documents) => documents.some((one) => MOVING.has(one.state));
export const areReady = (documents) => documents.length > 0 && documents.every((one) => one.state === "ready");
export const areDone = (documents) => documents.length > 0 && documents.every((one) => DONE.has(one.state));
export const tokensOf = (documents) => documents.reduce((sum, one) => sum + (one.tokens ?? 0), 0);

function put(conversation, documents) {
  const { [keyOf(conversation)]: _, ...others } = held.value;
  held.value = documents.length ? { ...others, [keyOf(conversation)]: documents } : others;
  const done = Object.entries(held.value).map(([key, list]) => [key, list.filter((one) => DONE.has(one.state))]);
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(done.filter(([, list]) => list.length))));
  } catch {
    // They then live as long as the page.
  }
}

function change(conversation, key, fields) {
  put(
    conversation,
    documentsIn(conversation).map((one) => (one.key === key ? { ...one, ...fields } : one)),
  );
}

/** Take files in and send them, a few at a time. */
export function addFiles(conversation, list) {
  const fresh = [...list].map((file) => {
    const key = crypto.randomUUID();
    files.set(key, file);
    return { key, id: null, name: file.name, size: file.size, state: "waiting", sent: 0 };
  });
  put(conversation, [...documentsIn(conversation), ...fresh]);
  pump(conversation);
}

/** A long text that was pasted becomes a document of its own. */
export function addPasted(conversation, text, name) {
  addFiles(conversation, [new File([text], name, { type: "text/plain" })]);
}

function pump(conversation) {
  const list = documentsIn(conversation);
  const running = list.filter((one) => one.state === "sending" || one.state === "reading").length;
  for (const one of list.filter((each) => each.state === "waiting").slice(0, Math.max(0, AT_ONCE - running)))
    go(conversation, one);
}

async function go(conversation, { key }) {
  const ender = new AbortController();
  enders.set(key, ender);
  const file = files.get(key);
  change(conversation, key, { state: "sending", sent: 0 });
  const onProgress = (sent) => change(conversation, key, { sent, state: sent < file.size ? "sending" : "reading" });
  try {
    const { upload } = await import("./lazy/upload.js");
    const onBegin = (id) => change(conversation, key, { id });
    const { status, id: _, ...fields } = await upload(file, { onBegin, onProgress, signal: ender.signal });
    change(conversation, key, { ...fields, state: status });
    files.delete(key);
  } catch (error) {
    if (!ender.signal.aborted)
      change(conversation, key, { state: "failed", code: error.code, message: error.message });
  } finally {
    enders.delete(key);
    pump(conversation);
  }
}

/** Have a text read again, as the person says that it is written. */
export async function chooseEncoding(conversation, { key, id }, encoding) {
  change(conversation, key, { state: "reading", sent: 0 });
  try {
    const { status, id: _, ...fields } = await api.chooseEncoding(id, encoding);
    change(conversation, key, { ...fields, state: status });
  } catch (error) {
    change(conversation, key, { state: "ready" });
    notify({ failed: error });
  }
}

export function retryDocument(conversation, key) {
  change(conversation, key, { state: "waiting" });
  pump(conversation);
}

/** Out of the composer; the server forgets it too. */
export function removeDocument(conversation, key) {
  const found = documentsIn(conversation).find((one) => one.key === key);
  put(
    conversation,
    documentsIn(conversation).filter((one) => one.key !== key),
  );
  enders.get(key)?.abort();
  files.delete(key);
  if (found?.id) api.forgetUpload(found.id).catch(() => {});
  pump(conversation);
}

/** All of them, for a question that goes out now. */
export function takeDocuments(conversation) {
  const taken = documentsIn(conversation);
  if (taken.length) put(conversation, []);
  return taken;
}

/** Back where they were: the question was refused. */
export function restoreDocuments(conversation, documents) {
  const known = new Set(documentsIn(conversation).map((one) => one.id));
  const back = documents.filter((one) => !known.has(one.id)).map((one) => ({ key: one.id, state: "ready", ...one }));
  if (back.length) put(conversation, [...back, ...documentsIn(conversation)]);
}

/** As the wire wants them; with `truncate` as much of each as fits will do. */
export const chosen = (documents, truncate = false) =>
  documents.map(({ id }) => (truncate ? { id, beginning: true } : { id }));

/** Several documents can have one answer each, if the plan holds it and nothing is to be forgotten. */
export const canBeBatch = (list) => list.length > 1 && mayUse("batch") && !temporary.value;
