/** One line over the conversation when something about the site itself needs saying: connection first, then engine. */

import { reconnect } from "../actions.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { connection, engine } from "../store.js";
import { AnnouncementBanner } from "./announcement.js";
import { BudgetNotice } from "./budget-notice.js";
import { Icon } from "./icons.js";

/** Close codes that have words of their own; others are a lost connection. */
const EXPLAINED = new Set([1007, 1009, 4401, 4403, 4429]);

export function Banner() {
  return html`<div role="status">${content()}<${BudgetNotice} /><${AnnouncementBanner} /></div>`;
}

function content() {
  const { state, code } = connection.value;
  if (state === "closed" || state === "offline") return html`<${Lost} code=${code} closed=${state === "closed"} />`;
  const held = engine.value;
  if (held && held.state !== "ready") return html`<${Engine} held=${held} />`;
  return null;
}

function Lost({ code, closed }) {
  const words = EXPLAINED.has(code) ? t(`closed_${code}`) : t("offline");
  return html`<div class=${`banner${closed ? " bad" : " warn"}`}>
    <${Icon} name="wifi-off" size=${16} /><span>${words}</span>
    ${code === 4401
      ? html`<a class="strong" href=${`/accounts/login/?next=${encodeURIComponent(location.pathname)}`}>${t("sign_in")}</a>`
      : !closed && html`<button type="button" class="quiet strong" onClick=${reconnect}>${t("connect_now")}</button>`}
  </div>`;
}

const WORKING = new Set(["starting", "restarting"]);

function Engine({ held }) {
  const working = WORKING.has(held.state);
  const percent = held.progress == null ? null : Math.round(held.progress * 100);
  return html`<div class=${`banner engine${working ? "" : " warn"}`}>
    <span><strong>${t(`engine_${held.state}`)}</strong> ${t(working ? "engine_write_already" : "engine_waits")}
      ${held.detail && html`<span class="soft"> ${held.detail}</span>`}</span>
    ${percent !== null && html`<span class="figures">${percent} %</span>`}
    ${working && html`<div class=${`banner-line${percent === null ? " unknown" : ""}`}><i style=${{ "--done": (percent ?? 30) / 100 }}></i></div>`}
  </div>`;
}
