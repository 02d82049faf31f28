/** The frame of the page: sidebar, the conversation, what lies over them. */

import { html } from "../html.js";
import { t } from "../i18n.js";
import { dismissToast, toast } from "../notices.js";
import { narrow, openSidebar, sidebarOpen } from "./preferences.js";
import { conversation } from "../store.js";
import { canWrite, Conversation, isBatch } from "./conversation.js";
import { Dialogs } from "./dialogs.js";
import { IconButton } from "./icons.js";
import { Sidebar } from "./sidebar.js";

export function Shell({ user }) {
  const covered = narrow.matches && sidebarOpen.value;
  return html`
    ${isBatch(conversation.value) && html`<a class="skip" href="#batch">${t("skip_documents")}</a>`}
    ${canWrite(conversation.value) && html`<a class="skip" href="#composer">${t("skip")}</a>`}
    <${Sidebar} user=${user} />
    ${covered && html`<div class="backdrop" onClick=${() => openSidebar(false)}></div>`}
    <${Conversation} user=${user} covered=${covered} />
    <${Toast} />
    <${Dialogs} />
  `;
}

function Toast() {
  const notice = toast.value;
  return html`<div class="toast-place" role="status">
    ${notice && html`<div class="toast">
      <span>
        ${notice.failed
          ? t("action_failed", { reason: notice.failed.message || t("offline_short") })
          : t(notice.key, notice.values)}
      </span>
      ${notice.go && html`<button
        type="button"
        class="quiet strong"
        onClick=${() => {
          dismissToast();
          notice.go();
        }}>
        ${t("show")}
      </button>`}
      ${notice.undo && html`<button type="button" class="quiet strong" onClick=${notice.undo}>${t("undo")}</button>`}
      <${IconButton} icon="x" label=${t("dismiss")} size=${18} onClick=${dismissToast} />
    </div>`}
  </div>`;
}
