/** What an import replaced or left out: the counts, each reason with its first places, all of it as a file. */

import { html } from "../html.js";
import { t } from "../i18n.js";
import { fileOf } from "./transfers.js";

/** Reasons of what nobody misses are counted below the others: they hold no words. */
const QUIET = new Set(["empty", "hidden", "beside"]);

export function ImportReport({ job }) {
  const report = job.report;
  if (!report) return null;
  const told = report.reasons.filter(({ reason }) => !QUIET.has(reason));
  const quiet = report.reasons.filter(({ reason }) => QUIET.has(reason));
  return html`<div class="import-report">
    <p>${t("report_messages", report)}</p>
    ${told.length > 0 && html`<${Reasons} words=${t("report_told", sums(told))} reasons=${told} />`}
    ${quiet.length > 0 && html`<${Reasons} words=${t("report_quiet", sums(quiet))} reasons=${quiet} />`}
    ${job.file && html`<p><a href=${fileOf(job)} download>${t("report_file")}</a></p>`}
  </div>`;
}

/** The nodes of each conversation, which is named once. */
function byConversation(places) {
  const found = new Map();
  for (const { conversation, node } of places) {
    const nodes = found.get(conversation) ?? [];
    found.set(conversation, node ? [...nodes, node] : nodes);
  }
  return found;
}

const sum = (reasons, outcome) =>
  reasons.filter((one) => one.outcome === outcome).reduce((total, { count }) => total + count, 0);

const sums = (reasons) => ({ replaced: sum(reasons, "replaced"), omitted: sum(reasons, "omitted") });

function Reasons({ words, reasons }) {
  return html`<details>
    <summary>${words}</summary>
    <ul>
      ${reasons.map((one) => html`<li key=${one.reason}><${Reason} ...${one} /></li>`)}
    </ul>
  </details>`;
}

function Reason({ outcome, words, count, places }) {
  return html`<details>
    <summary>
      <span>${words}</span> <span class="soft figures">${t(`report_${outcome}`, { count })}</span>
    </summary>
    <ul class="places">
      ${[...byConversation(places)].map(([conversation, nodes]) => html`<li key=${conversation}>
        ${conversation || t("report_whole_file")}
        ${nodes.map((node) => html` <code key=${node}>${node}</code>`)}
      </li>`)}
      ${count > places.length && html`<li>${t("report_more", { count: count - places.length })}</li>`}
    </ul>
  </details>`;
}
