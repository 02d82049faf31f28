/** What is under way, as a bar with words and a way to end it. */

import { html } from "../html.js";
import { t } from "../i18n.js";
import { share } from "./transfers.js";

export function TransferBar({ job, fileSize, onEnd }) {
  const part = share(job, fileSize);
  const percent = part === null ? null : Math.floor(part * 100);
  return html`<div class="transfer">
    <p>
      <span role="status">${t(`job_${job.kind}_${job.status}`)}</span>
      ${percent !== null && html`<span class="soft figures">${percent} %</span>`}
    </p>
    <progress max="1" value=${part} aria-label=${t(`job_${job.kind}_${job.status}`)}></progress>
    <div class="ends"><button type="button" class="button" onClick=${onEnd}>${t("cancel")}</button></div>
  </div>`;
}

/** Why a job failed, and where in the file. */
export function Failure({ job }) {
  const place = job.result?.place;
  return html`<p class="trouble" role="alert">${place && html`<code>${place}</code> `}${job.message}</p>`;
}
