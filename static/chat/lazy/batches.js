/** Batches: begin one, follow how its documents stand, cancel, try again. */

import { signal } from "@preact/signals";
import * as api from "../api.js";
import { notify } from "../notices.js";

/** How often a batch that is not over is looked at; its running answers stream besides. */
const LOOK_MS = 2_000;

/** Statuses that nothing will change by itself. */
const OVER = new Set(["finished", "failed", "timed_out", "interrupted", "cancelled", "refused", "unreadable"]);
const BAD = new Set(["failed", "timed_out", "interrupted", "cancelled", "refused"]);

/** Batches by their conversation's id, as the server told them last. */
export const batches = signal({});

export const isOver = (status) => OVER.has(status);
export const canRetry = (status) => BAD.has(status);
export const countOver = (items) => items.filter((one) => OVER.has(one.status)).length;

const keep = (batch) => {
  batches.value = { ...batches.value, [batch.id]: batch };
  return batch;
};

export async function look(id) {
  try {
    keep(await api.getBatch(id));
  } catch (error) {
    if (error.status === 404) return;
    notify({ failed: error });
  }
}

/** Look until it is over or the returned function is called. `onChange` hears of every look. */
export function watch(id, onChange) {
  let timer;
  let stopped = false;
  const again = async () => {
    await look(id);
    if (stopped) return;
    onChange(batches.value[id]);
    timer = setTimeout(again, LOOK_MS);
  };
  again();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

const act = async (request) => {
  try {
    keep(await request());
  } catch (error) {
    notify({ failed: error });
  }
};

/** `items` are positions; left out: all. */
export const cancelItems = (id, items = null) => act(() => api.cancelItems(id, items));
export const retryItems = (id, items = null) => act(() => api.retryItems(id, items));
