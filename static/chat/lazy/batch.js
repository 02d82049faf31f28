/** A batch: a row for each document with its progress and its answer, and what can be done with one or all. */

import { useEffect } from "preact/hooks";
import { refreshShown } from "../actions.js";
import * as api from "../api.js";
import { batches, canRetry, cancelItems, countOver, isOver, retryItems, poll } from "./batch-status.js";
import { openItem } from "../batch.js";
import { integer } from "../format.js";
import { html } from "../html.js";
import { locale, t } from "../i18n.js";
import { state } from "../store.js";
import { AnswerText } from "../view/answer-text.js";
import { reasonOf, sizeOf } from "../view/documents.js";
import { Icon, IconButton } from "../view/icons.js";
import { Menu, MenuItem } from "../view/menu.js";
import { save } from "./transfers.js";

const FORMS = ["md", "json", "csv"];

/** The item with what its stream brings, which this page follows and the server is only polled for. */
function withStream(item) {
  const live = state.value.generations[item.generation];
  return { ...item, status: live?.status ?? item.status, text: live?.text ?? "", place: live?.position };
}

/** Changes exactly when some item has got a generation or ended: then its text is fetched. */
const mark = (batch) => batch?.items.map((one) => `${one.generation}:${isOver(one.status)}`).join() ?? "";

export function Batch({ id }) {
  useEffect(() => {
    let seen = null;
    return poll(id, (batch) => {
      if (seen !== null && seen !== mark(batch)) refreshShown(id);
      seen = mark(batch);
    });
  }, [id]);
  const batch = batches.value[id];
  if (!batch) return html`<p class="soft" id="batch" role="status">${t("loading")}</p>`;
  const items = batch.items.map(withStream);
  return html`<section class="batch" id="batch" tabindex="-1" aria-label=${t("batch")}>
    <p class="batch-instruction">${batch.instruction}</p>
    <${Head} batch=${batch} items=${items} />
    <ol>${items.map((one) => html`<${Row} key=${one.position} id=${id} item=${one} />`)}</ol>
  </section>`;
}

function Head({ batch, items }) {
  const done = countOver(items);
  const count = items.length;
  const words = done === count ? t("batch_all_done", { count }) : t("batch_of", { done, count });
  const waits = batch.waits_for && items.some((one) => one.status === "waiting");
  return html`<div class="batch-head">
    <div class="batch-progress">
      <span role="status">${words}</span>
      <progress value=${done} max=${count} aria-label=${words}></progress>
      ${waits && html`<span class="warn">${t(`batch_waits_${batch.waits_for}`)}</span>`}
    </div>
    <div class="batch-acts">
      ${done < count && html`<button type="button" class="button" onClick=${() => cancelItems(batch.id)}>
        ${t("batch_cancel_all")}
      </button>`}
      ${items.some((one) => canRetry(one.status)) && html`<button
        type="button"
        class="button"
        onClick=${() => retryItems(batch.id)}>
        ${t("batch_retry_all")}
      </button>`}
      <${Menu}
        label=${t("batch_download")}
        className="button"
        trigger=${html`
          <${Icon} name="download" size=${16} />
          <span>${t("batch_download")}</span>
        `}>
        ${(close) =>
          FORMS.map((form) => html`<${MenuItem}
            key=${form}
            onSelect=${() => {
              close();
              save(api.resultsOf(batch.id, form));
            }}>
            ${t(`batch_as_${form}`)}
          <//>`)}
      <//>
    </div>
  </div>`;
}

const MARKS = { finished: "check", waiting: "clock", queued: "clock", running: "pencil", cancelled: "square" };

function statusWords(item) {
  if (item.status === "running")
    return item.text ? t("item_running", { count: integer(item.text.length, locale()) }) : t("item_reading");
  if (item.status === "unreadable") return reasonOf(item.document);
  if (item.status === "queued" && item.place) return t("queue_position", { position: item.place });
  return t(`item_${item.status}`);
}

function whyNot({ status, code, message }) {
  return status === "refused" ? message || t(`refused_${code}`) : "";
}

function Row({ id, item }) {
  const { document, status, position } = item;
  const over = isOver(status);
  const bad = over && status !== "finished" && status !== "cancelled";
  const names = { name: document.name };
  return html`<li class=${`batch-row ${status}`}>
    <div class="batch-row-head">
      <${Icon} name=${bad ? "triangle-alert" : (MARKS[status] ?? "clock")} size=${16} />
      <span class="document-words">
        <span class="document-name" title=${document.name}>${document.name}</span>
        <span class=${`document-state${bad ? " bad" : ""}`}>
          ${[statusWords(item), document.tokens > 0 && sizeOf(document)].filter(Boolean).join(" · ")}
        </span>
      </span>
      ${canRetry(status) && html`<${IconButton}
        icon="refresh-cw"
        label=${t("item_retry", names)}
        onClick=${() => retryItems(id, [position])} />`}
      ${!over && html`<${IconButton}
        icon="x"
        label=${t("item_cancel", names)}
        onClick=${() => cancelItems(id, [position])} />`}
      ${item.answer && html`<${IconButton}
        icon="message-square"
        label=${t("item_open", names)}
        onClick=${() => openItem(item.answer)} />`}
    </div>
    ${status === "running" && html`<progress aria-label=${statusWords(item)}></progress>`}
    ${whyNot(item) && html`<p class="batch-why">${whyNot(item)}</p>`}
    ${item.text && html`<details class="batch-answer" open=${over}>
      <summary>${t("answer")}</summary>
      <${AnswerText} text=${item.text} near=${true} over=${over} />
    </details>`}
  </li>`;
}
