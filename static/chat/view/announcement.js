/** What the administrators tell everybody. Put away in this browser, it stays away; the next one is shown again. */

import { html } from "../html.js";
import { t } from "../i18n.js";
import { announcementSeen, putAnnouncementAway } from "../preferences.js";
import { state } from "../store.js";
import { Icon } from "./icons.js";

export function AnnouncementBanner() {
  const notice = state.value.announcement;
  if (!notice || announcementSeen.value === String(notice.id)) return null;
  return html`<div class=${`banner${notice.important ? " warn" : ""}`}>
    <span dir="auto">${notice.text}</span>
    <button type="button" class="icon-button" aria-label=${t("put_away")} title=${t("put_away")}
      onClick=${() => putAnnouncementAway(notice.id)}><${Icon} name="x" size=${16} /></button>
  </div>`;
}
