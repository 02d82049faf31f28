/** Batches: begin one, follow how its documents stand, cancel, try again. */

import { signal } from "@preact/signals";
import * as api from "../api.js";
import { notify } from "../notices.js";

/** How often a batch that is not over is polled; its running answers stream besides. */
const POLL_MS = 2_000;

/** Statuses that nothing will change by itself. */
const OVER = new Set(["finished", "failed", "timed_out", "interrupted", "cancelled", "refused", "unreadable"]);
const BAD = new Set(["failed", "timed_out", "interrupted", "cancelled", "refused"]);

/** Batches by their conversation's id, as the server gave them last. */
export const batches = signal({});

export const isOver = (status) => OVER.has(status);
export const canRetry = (status) => BAD.has(status);
export const countOver = (items) => items.filter((one) => OVER.has(one.status)).length;

const store = (batch) => {
  batches.value = { ...batches.value, [batch.id]: batch };
  return batch;
};

export async function refresh(id) {
  try {
    store(await api.getBatch(id));
  } catch (error) {
    if (error.status === 404) return;
    notify({ failed: error });
  }
}

/** Poll until the returned function is called; `onChange` gets the batch each time. */
export function poll(id, onChange) {
  let timer;
  let stopped = false;
  const again = async () => {
    await refresh(id);
    if (stopped) return;
    onChange(batches.value[id]);
    timer = setTimeout(again, POLL_MS);
  };
  again();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

const act = async (request) => {
  try {
    store(await request());
  } catch (error) {
    notify({ failed: error });
  }
};

/** `items` are positions; left out: all. */
export const cancelItems = (id, items = null) => act(() => api.cancelItems(id, items));
export const retryItems = (id, items = null) => act(() => api.retryItems(id, items));
