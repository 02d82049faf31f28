/** Questions typed while an answer is still being written: kept per conversation and tab, sent one after the other. */

import { signal } from "@preact/signals";

const KEY = "chatsite.ahead";

function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

/** `{conversation: [text, …]}` */
export const ahead = signal(stored());

function keep(conversation, texts) {
  const { [conversation]: _, ...others } = ahead.value;
  ahead.value = texts.length ? { ...others, [conversation]: texts } : others;
  try {
    sessionStorage.setItem(KEY, JSON.stringify(ahead.value));
  } catch {
    // It then lives as long as the page.
  }
}

export const waitingIn = (conversation) => ahead.value[conversation] ?? [];

export const putAhead = (conversation, text) => keep(conversation, [...waitingIn(conversation), text]);

/** Take out the text at this place. */
export function takeAhead(conversation, index = 0) {
  const texts = [...waitingIn(conversation)];
  const [text] = texts.splice(index, 1);
  keep(conversation, texts);
  return text;
}

/** A conversation that began here has got its id. */
export function moveAhead(from, to) {
  const texts = waitingIn(from);
  if (!texts.length) return;
  keep(from, []);
  keep(to, texts);
}
