/** A short notice with an optional way on or back. */

import { signal } from "@preact/signals";

/** `{key, values, undo, go}` or `{failed}`, or null. */
export const toast = signal(null);

/** How long an undo is offered; the server keeps what was deleted for 60 s. */
const TOAST_MS = 10_000;

/** A notice that only says something goes sooner. */
const WORDS_MS = 4_000;

let timer;

export function notify(notice) {
  clearTimeout(timer);
  toast.value = notice;
  timer = setTimeout(dismissToast, notice.undo || notice.go ? TOAST_MS : WORDS_MS);
}

export const dismissToast = () => {
  toast.value = null;
};

/** Whether an answer has ended that nobody can have seen: the page was hidden. Its tab says so. */
export const unseen = signal(false);

/** Which dialog lies over the page: `{name, …}` of a module in lazy/, or null. */
export const dialog = signal(null);

export const openDialog = (name, options = {}) => {
  dialog.value = { name, ...options };
};

export const closeDialog = () => {
  dialog.value = null;
};
