/** Said once per window: most of a budget, or all of it, is used. Put away here, it is put away everywhere. */

import * as api from "../api.js";
import { html } from "../html.js";
import { locale, t } from "../i18n.js";
import { dispatch, state } from "../store.js";
import { Icon } from "./icons.js";

function putAway() {
  dispatch({ type: "notices_seen" });
  api.noticesSeen().catch(() => {}); // it is told again, and can be put away again
}

export function BudgetNotice() {
  const notice = state.value.notices.at(-1);
  if (!notice) return null;
  const when = new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "short" }).format(new Date(notice.resets_at));
  const spent = notice.percent >= 100;
  return html`<div class=${`banner ${spent ? "bad" : "warn"}`}>
    <span>${t(`notice_${notice.budget}_${spent ? "spent" : "near"}`, { percent: notice.percent })} ${t("notice_new", { when })}</span>
    <a class="strong" href="/usage">${t("see_usage")}</a>
    <button type="button" class="icon-button" aria-label=${t("put_away")} title=${t("put_away")} onClick=${putAway}><${Icon} name="x" size=${16} /></button>
  </div>`;
}
