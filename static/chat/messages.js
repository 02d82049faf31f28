/** What a person does to one message that is there: rewrite an answer, delete with what follows, rate. */

import { branches, drafts, editing, refreshShown, show } from "./actions.js";
import * as api from "./api.js";
import { editOf } from "./drafts.js";
import { dismissToast, notify } from "./notices.js";
import { target } from "./search.js";
import { dispatch, state } from "./store.js";

/** An answer in the person's own words, beside the given one. */
export async function editAnswer(message, content) {
  editing.value = null;
  if (!content.trim() || content === message.content) return;
  const { current } = state.value;
  try {
    const edited = await api.editAnswer(message.id, content);
    await refreshShown(current);
    show(edited.id);
  } catch (error) {
    drafts.set(editOf(message.id), content);
    notify({ failed: error });
  }
}

/** Delete a message and all that follows it, at once; the notice brings them back. */
export async function removeMessage(message) {
  const { current } = state.value;
  editing.value = null;
  target.value = null;
  dispatch({ type: "message_removed", conversation: current, message: message.id });
  branches.set(current, null);
  try {
    const { count } = await api.deleteMessage(message.id);
    notify({ key: "message_deleted", values: { count }, undo: () => restoreMessage(current, message.id) });
  } catch (error) {
    notify({ failed: error });
    await refreshShown(current);
  }
}

async function restoreMessage(conversation, message) {
  dismissToast();
  try {
    await api.restoreMessage(message);
    await refreshShown(conversation);
    if (state.value.current === conversation) show(message);
  } catch (error) {
    notify({ failed: error });
  }
}

/** Thumbs at once, and back where the server refuses. */
export async function rate(message, value, comment = "") {
  const conversation = state.value.current;
  const before = message.feedback;
  dispatch({ type: "rated", conversation, message: message.id, feedback: value ? { value, comment } : null });
  try {
    await api.rate(message.id, value, comment);
  } catch (error) {
    dispatch({ type: "rated", conversation, message: message.id, feedback: before });
    notify({ failed: error });
  }
}
