/** What is left of the person's budgets: a quiet ring beside the small print, amber from 80 %. */

import { html } from "../html.js";
import { locale, t } from "../i18n.js";
import { integer } from "../format.js";
import { state } from "../store.js";

const share = ({ used, limit }) => (limit ? Math.min(1, used / limit) : 1);

function words({ name, used, limit, resets_at: resets }) {
  const left = integer(Math.max(0, limit - used), locale());
  const when = resets
    ? new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "short" }).format(new Date(resets))
    : "";
  return [
    t(`budget_${name}`, { left, limit: integer(limit, locale()) }),
    when && t(name === "grant" ? "budget_ends" : "budget_resets", { when }),
  ]
    .filter(Boolean)
    .join(" · ");
}

/** The budget that is nearest to its end, where there is one. */
export function QuotaRing() {
  const fullest = [...state.value.quota].sort((a, b) => share(b) - share(a))[0];
  if (!fullest) return null;
  return html`<span
    class=${`quota${fullest.warn ? " warn" : ""}`}
    role="img"
    aria-label=${words(fullest)}
    title=${words(fullest)}>
    <svg viewBox="0 0 20 20" width="16" height="16" aria-hidden="true">
      <circle cx="10" cy="10" r="8" />
      <circle class="used" cx="10" cy="10" r="8" pathLength="1" stroke-dasharray=${`${share(fullest)} 1`} />
    </svg>
    ${fullest.warn && html`<span class="figures">
      ${t("budget_used", { percent: Math.round(share(fullest) * 100) })}
    </span>`}
  </span>`;
}

export function BudgetList() {
  const budgets = state.value.quota;
  if (!budgets.length) return html`<p class="soft">${t("no_budgets")}</p>`;
  return html`<ul class="entries">
    ${budgets.map((one) => html`<li key=${one.name}>
      <span>
        ${words(one)}
        <progress
          value=${share(one)}
          max="1"
          aria-label=${t(`budget_${one.name}`, { left: "", limit: "" })}></progress>
      </span>
    </li>`)}
  </ul>`;
}
