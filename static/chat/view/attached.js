/** The documents of a question that was sent. Each opens what the model was given of it. */

import { html } from "../html.js";
import { t } from "../i18n.js";
import { dialog } from "../notices.js";
import { sizeOf } from "./documents.js";
import { Icon } from "./icons.js";

export function Attached({ documents }) {
  if (!documents?.length) return null;
  return html`<ul class="attached" aria-label=${t("documents")}>${documents.map((one) => html`<li key=${one.id}>
    <button type="button" class="document" title=${t("document_open", one)} onClick=${() => { dialog.value = { name: "document", document: one }; }}>
      <${Icon} name="file-text" size=${16} />
      <span class="document-words"><span class="document-name">${one.name}</span><span class="document-state">${sizeOf(one)}</span></span>
    </button></li>`)}</ul>`;
}

/** Above the first message that the shown answer was written from, where the conversation has outgrown the context. */
export function LeftOut() {
  return html`<p class="left-out" role="note"><span>${t("left_out")}</span></p>`;
}
