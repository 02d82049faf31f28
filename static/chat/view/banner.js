/**
 * Lines over the conversation when something about the site itself needs saying: the connection or else the engine,
 * budgets that come to their end, what administrators announce.
 */

import { reconnect } from "../actions.js";
import * as api from "../api.js";
import { html } from "../html.js";
import { locale, t } from "../i18n.js";
import { announcementSeen, putAnnouncementAway } from "./preferences.js";
import { connection, dispatch, engine, state } from "../store.js";
import { Icon, IconButton } from "./icons.js";

/** Close codes that have words of their own; others are a lost connection. */
const EXPLAINED = new Set([1007, 1009, 4401, 4403, 4429]);

export function Banner() {
  return html`<div role="status">${content()}<${BudgetNotice} /><${AnnouncementBanner} /></div>`;
}

function content() {
  const { state: name, code } = connection.value;
  if (name === "closed" || name === "offline") return html`<${Lost} code=${code} closed=${name === "closed"} />`;
  const held = engine.value;
  if (held && held.state !== "ready") return html`<${Engine} held=${held} />`;
  return null;
}

function Lost({ code, closed }) {
  const words = EXPLAINED.has(code) ? t(`closed_${code}`) : t("offline");
  return html`<div class=${`banner${closed ? " bad" : " warn"}`}>
    <${Icon} name="wifi-off" size=${16} />
    <span>${words}</span>
    ${code === 4401
      ? html`<a class="strong" href=${`/accounts/login/?next=${encodeURIComponent(location.pathname)}`}>
          ${t("sign_in")}
        </a>`
      : !closed && html`<button type="button" class="quiet strong" onClick=${reconnect}>${t("connect_now")}</button>`}
  </div>`;
}

const WORKING = new Set(["starting", "restarting"]);

function Engine({ held }) {
  const working = WORKING.has(held.state);
  const percent = held.progress == null ? null : Math.round(held.progress * 100);
  return html`<div class=${`banner engine${working ? "" : " warn"}`}>
    <span>
      <strong>${t(`engine_${held.state}`)}</strong> ${t(working ? "engine_write_already" : "engine_waits")}
      ${held.detail && html`<span class="soft"> ${held.detail}</span>`}
    </span>
    ${percent !== null && html`<span class="figures">${percent} %</span>`}
    ${working && html`<div class=${`banner-line${percent === null ? " unknown" : ""}`}>
      <i style=${{ "--done": (percent ?? 30) / 100 }}></i>
    </div>`}
  </div>`;
}

/** Said once per window: most of a budget, or all of it, is used. Put away here, it is put away everywhere. */
function BudgetNotice() {
  const notice = state.value.notices.at(-1);
  if (!notice) return null;
  const when = new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "short" }).format(
    new Date(notice.resets_at),
  );
  const spent = notice.percent >= 100;
  return html`<div class=${`banner ${spent ? "bad" : "warn"}`}>
    <span>
      ${t(`notice_${notice.budget}_${spent ? "spent" : "near"}`, { percent: notice.percent })} ${t("notice_new", {
        when,
      })}
    </span>
    <a class="strong" href="/usage">${t("see_usage")}</a>
    <${IconButton} icon="x" label=${t("put_away")} onClick=${putAway} />
  </div>`;
}

function putAway() {
  dispatch({ type: "notices_seen" });
  api.noticesSeen().catch(() => {}); // it is told again, and can be put away again
}

/** What the administrators tell everybody. Put away in this browser, it stays away; the next one is shown again. */
function AnnouncementBanner() {
  const notice = state.value.announcement;
  if (!notice || announcementSeen.value === String(notice.id)) return null;
  return html`<div class=${`banner${notice.important ? " warn" : ""}`}>
    <span dir="auto">${notice.text}</span>
    <${IconButton} icon="x" label=${t("put_away")} onClick=${() => putAnnouncementAway(notice.id)} />
  </div>`;
}
