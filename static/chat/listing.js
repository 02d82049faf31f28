/** The list of conversations: which of them are shown, and what a person does to them there. */

import { signal } from "@preact/signals";
import * as api from "./api.js";
import { dismissToast, notify } from "./notices.js";
import { dispatch, state } from "./store.js";

/** What the list shows: a folder, the archive, or everything else. */
const ALL = { archived: false, folder: "" };
export const view = signal(ALL);

/** Ids picked for something done to many at once; null while nothing is being picked. */
export const picked = signal(null);

/** Counts requests for the first page: the answer to an earlier one says nothing any more. */
let requests = 0;

export async function listConversations({ more = false } = {}) {
  const before = more ? state.value.list.next : null;
  if (more && !before) return;
  const request = more ? requests : ++requests;
  const shown = view.value;
  const since = Date.now();
  try {
    const page = await api.listConversations(before, shown);
    if (view.value !== shown || request !== requests) return;
    if (shown.folder && page.folders && !page.folders.includes(shown.folder)) showView(ALL);
    else dispatch({ type: "listed", append: more, since, ...page });
  } catch (error) {
    dispatch({ type: "list_failed", message: error.message });
  }
}

export function showView(next) {
  view.value = { ...ALL, ...next };
  picked.value = null;
  listConversations();
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

/** Archive or file, all or none, at once, and change back where the server refuses. Returns whether it was done. */
async function patchMany(items, fields) {
  picked.value = null;
  for (const { id } of items) dispatch({ type: "patched", item: { id, ...fields } });
  try {
    await api.changeMany(
      items.map((one) => one.id),
      fields,
    );
  } catch (error) {
    for (const item of items) dispatch({ type: "patched", item });
    notify({ failed: error });
    return false;
  }
  await listConversations();
  return true;
}

export async function archive(items, archived = true) {
  if (!(await patchMany(items, { archived }))) return;
  const values = { title: items[0].title, count: items.length };
  notify({
    key: archived ? "archived" : "unarchived",
    values,
    undo: () => {
      dismissToast();
      patchMany(items, { archived: !archived });
    },
  });
}

/** Into a folder, or with an empty name out of theirs. */
export async function moveTo(items, folder) {
  if (await patchMany(items, { folder })) notify({ key: folder ? "moved" : "taken_out", values: { folder } });
}

/** Delete at once; the toast brings them back. `leave` is called where the shown one goes. */
export async function remove(items, leave) {
  picked.value = null;
  if (items.some((one) => one.id === state.value.current)) leave();
  for (const { id } of items) dispatch({ type: "removed", conversation: id });
  try {
    await api.deleteMany(items.map((one) => one.id));
    const values = { title: items[0].title, count: items.length };
    notify({ key: items.length > 1 ? "deleted_many" : "deleted", values, undo: () => restore(items) });
    await listConversations();
  } catch (error) {
    for (const item of items) dispatch({ type: "restored", item });
    notify({ failed: error });
  }
}

async function restore(items) {
  dismissToast();
  try {
    await api.restoreMany(items.map((one) => one.id));
    await listConversations();
  } catch (error) {
    notify({ failed: error });
  }
}

export function pick(id) {
  const next = new Set(picked.value ?? []);
  if (!next.delete(id)) next.add(id);
  picked.value = next;
}
