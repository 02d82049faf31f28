/** Questions typed while an answer is still being written: kept per conversation and tab, sent one after the other. */

import { signal } from "@preact/signals";

const KEY = "chatsite.ahead";

function readStored() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

/** `{conversation: [text, …]}` */
export const queue = signal(readStored());

function store(conversation, texts) {
  const { [conversation]: _, ...others } = queue.value;
  queue.value = texts.length ? { ...others, [conversation]: texts } : others;
  try {
    sessionStorage.setItem(KEY, JSON.stringify(queue.value));
  } catch {
    // It then lives as long as the page.
  }
}

export const queuedIn = (conversation) => queue.value[conversation] ?? [];

export const queueMessage = (conversation, text) => store(conversation, [...queuedIn(conversation), text]);

/** Take out the text at this place. */
export function takeQueued(conversation, index = 0) {
  const texts = [...queuedIn(conversation)];
  const [text] = texts.splice(index, 1);
  store(conversation, texts);
  return text;
}

/** A conversation that began here has got its id. */
export function moveQueued(from, to) {
  const texts = queuedIn(from);
  if (!texts.length) return;
  store(from, []);
  store(to, texts);
}
