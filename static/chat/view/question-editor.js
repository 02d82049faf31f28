/** A question being put in other words; sending makes a branch beside the old one. */

import { useEffect, useRef } from "preact/hooks";
import { edit, editing } from "../actions.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { fitHeight } from "./textarea.js";

export function QuestionEditor({ message }) {
  const field = useRef(null);
  useEffect(() => {
    const { current } = field;
    current.focus();
    current.setSelectionRange(current.value.length, current.value.length);
    fitHeight(current);
  }, []);
  const cancel = () => {
    editing.value = null;
  };
  const keep = (event) => {
    event.preventDefault();
    edit(message, field.current.value);
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
    <textarea ref=${field} aria-label=${t("edit")} defaultValue=${message.content} onKeyDown=${onKeyDown}
      onInput=${(event) => fitHeight(event.currentTarget)}></textarea>
    <div class="question-editor-foot">
      <span class="soft">${t("edit_hint")}</span>
      <button type="button" class="button" onClick=${cancel}>${t("cancel")}</button>
      <button type="submit" class="button primary">${t("send")}</button>
    </div>
  </form>`;
}
