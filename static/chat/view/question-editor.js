/**
 * A question or an answer being put in other words; saving it makes a branch beside the old one. What is written
 * stays as a draft of this message until it is sent or cancelled: Escape, another conversation and a reload lose
 * nothing.
 */

import { useLayoutEffect, useRef } from "preact/hooks";
import { drafts, edit, editing, focusAsked } from "../actions.js";
import { editOf } from "../drafts.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { editAnswer } from "../messages.js";
import { notify } from "../notices.js";
import { fitHeight, isSave, isSend } from "./message-field.js";

export function QuestionEditor({ message }) {
  const field = useRef(null);
  const isAnswer = message.role === "assistant";
  const place = editOf(message.id);
  const before = useRef(drafts.get(place)).current;
  useLayoutEffect(() => {
    const { current } = field;
    current.focus();
    current.setSelectionRange(current.value.length, current.value.length);
    fitHeight(current);
    // Its buttons too: on a phone they would lie under the message field.
    current.form.scrollIntoView({ block: "nearest" });
  }, []);
  const write = ({ currentTarget }) => {
    fitHeight(currentTarget);
    drafts.set(place, currentTarget.value === message.content ? "" : currentTarget.value);
  };
  const cancel = () => {
    drafts.set(place, "");
    editing.value = null;
  };
  const putAside = () => {
    editing.value = null;
    focusAsked.value += 1;
    if (drafts.get(place)) notify({ key: "edit_kept" });
  };
  const save = (event) => {
    event.preventDefault();
    const text = field.current.value;
    drafts.set(place, "");
    (isAnswer ? editAnswer : edit)(message, text);
  };
  const onKeyDown = (event) => {
    if ((isAnswer ? isSave : isSend)(event)) save(event);
    if (event.key === "Escape" && !event.isComposing) {
      event.stopPropagation();
      putAside();
    }
  };
  return html`<form class="question-editor" onSubmit=${save}>
    <textarea
      ref=${field}
      dir="auto"
      aria-label=${t(isAnswer ? "edit_answer" : "edit")}
      defaultValue=${before || message.content}
      onKeyDown=${onKeyDown}
      onInput=${write}></textarea>
    <div class="question-editor-foot">
      <span class="soft">${t(before ? "edit_draft" : isAnswer ? "edit_answer_hint" : "edit_hint")}</span>
      <button type="button" class="button" onClick=${cancel}>${t("cancel")}</button>
      <button type="submit" class="button primary">${t(isAnswer ? "save" : "send")}</button>
    </div>
  </form>`;
}
