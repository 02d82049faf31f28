/** One answer for each of many documents: begin such a batch, and walk between it and its items. */

import { effect, signal } from "@preact/signals";
import { draft, open, show, write } from "./actions.js";
import * as api from "./api.js";
import { areDone, chosen, documentsIn, canBeBatch, batchMode, takeDocuments } from "./documents.js";
import { chosenPreset, paramsOf, presets } from "./library.js";
import { notify } from "./notices.js";
import { target } from "./search.js";
import { current } from "./store.js";

/** The batch, by its conversation, of which one item is shown as a chat; else all its rows are. */
export const inItem = signal(null);

effect(() => {
  if (inItem.peek() !== current.value) inItem.value = null;
});

/** What a search has found in a batch is shown in its chat, which holds every message of an item. */
effect(() => {
  if (target.value) inItem.value = current.peek();
});

let starting = false;

/** Whether what the composer holds is meant as a batch. */
export const isBatchMode = (conversation) => batchMode.value && canBeBatch(documentsIn(conversation));

/** Whether it can begin: unreadable documents have their row too. */
export const canBeginBatch = (conversation) => Boolean(draft.value.trim()) && areDone(documentsIn(conversation));

export async function beginBatch(conversation) {
  if (starting || !canBeginBatch(conversation)) return;
  starting = true;
  const params = paramsOf(presets.value?.find((one) => one.id === chosenPreset.value)) ?? {};
  const documents = documentsIn(conversation);
  try {
    const instruction = draft.value;
    const batch = await api.beginBatch({
      instruction,
      attachments: chosen(documents),
      preset: chosenPreset.value,
      ...params,
    });
    takeDocuments(conversation);
    batchMode.value = false;
    write("");
    await open(batch.id);
  } catch (error) {
    notify({ failed: error });
  } finally {
    starting = false;
  }
}

/** Show one item as the chat that it is. */
export function openItem(answer) {
  inItem.value = current.value;
  show(answer);
}

export const closeItem = () => {
  inItem.value = null;
};
