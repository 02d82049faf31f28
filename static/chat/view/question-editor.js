/** A question or an answer being put in other words; keeping it makes a branch beside the old one. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { edit, editAnswer, editing } from "../actions.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { fitHeight } from "./textarea.js";

export function QuestionEditor({ message }) {
  const field = useRef(null);
  const isAnswer = message.role === "assistant";
  useLayoutEffect(() => {
    const { current } = field;
    current.focus();
    current.setSelectionRange(current.value.length, current.value.length);
    fitHeight(current);
    // Its buttons too: on a phone they would lie under the message field.
    current.form.scrollIntoView({ block: "nearest" });
  }, []);
  const cancel = () => {
    editing.value = null;
  };
  const keep = (event) => {
    event.preventDefault();
    (isAnswer ? editAnswer : edit)(message, field.current.value);
  };
  const onKeyDown = (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) keep(event);
    if (event.key === "Escape") {
      event.stopPropagation();
      cancel();
    }
  };
  return html`<form class="question-editor" onSubmit=${keep}>
    <textarea ref=${field} aria-label=${t(isAnswer ? "edit_answer" : "edit")} defaultValue=${message.content} onKeyDown=${onKeyDown}
      onInput=${(event) => fitHeight(event.currentTarget)}></textarea>
    <div class="question-editor-foot">
      <span class="soft">${t(isAnswer ? "edit_answer_hint" : "edit_hint")}</span>
      <button type="button" class="button" onClick=${cancel}>${t("cancel")}</button>
      <button type="submit" class="button primary">${t(isAnswer ? "keep" : "send")}</button>
    </div>
  </form>`;
}
