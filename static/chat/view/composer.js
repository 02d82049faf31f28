/**
 * The message field. Stop stands where Send was, or beside it where more can be sent. A refused question comes back
 * here with the reason.
 */

import { useLayoutEffect, useRef } from "preact/hooks";
import { takeQueued, queuedIn } from "../queued-messages.js";
import { draft, editing, focusAsked, retry, send, stop, sendTruncated, write } from "../actions.js";
import { addFiles, addPasted, areReady, documentsIn, PASTE_CHARS } from "../documents.js";
import { beginBatch, canBeginBatch, isBatchMode } from "../batch.js";
import { html } from "../html.js";
import { locale, t } from "../i18n.js";
import { integer, roughTokens, roughly } from "../format.js";
import { branch } from "../tree.js";
import { LOCAL } from "../reducer.js";
import { conversation, dispatch, engine, isStopping, maxContentChars, mayUse, refusal, runningId } from "../store.js";
import { AttachButton, Documents, DropZone } from "./documents.js";
import { Icon, IconButton } from "./icons.js";
import { QuotaRing } from "./quota.js";
import { slashActive, slashKey, SlashMenu, slashOpen } from "./slash.js";
import { fitHeight, isSend, touch } from "./message-field.js";

/** The limit is mentioned when this part of it is used. */
const NEAR_LIMIT = 0.8;

function editLast() {
  const questions = branch(conversation.value?.tree ?? { children: {}, nodes: {}, chosen: {} }).filter(
    (one) => one.role === "user",
  );
  if (questions.length && !runningId.value) editing.value = questions.at(-1).id;
  return questions.length > 0;
}

/** The conversation whose documents the composer holds: null for one that is only beginning. */
const place = () => {
  const id = conversation.value?.id ?? null;
  return id?.startsWith(LOCAL) ? null : id;
};

const sendAny = () => (isBatchMode(place()) ? beginBatch(place()) : send());

/** Files become documents, and so does a text that is one. */
function onPaste(event) {
  const { files } = event.clipboardData;
  const text = event.clipboardData.getData("text/plain");
  if (!mayUse("attachments")) return;
  if (files.length && !text) addFiles(place(), files);
  else if (text.length >= PASTE_CHARS)
    addPasted(place(), text, t("pasted_name", { number: documentsIn(place()).length + 1 }));
  else return;
  event.preventDefault();
}

export function Composer() {
  const field = useRef(null);
  const busy = runningId.value !== null;
  const asked = t(isBatchMode(place()) ? "ask_batch" : "ask");
  // Before the next key, not after the next frame: what is typed at once must arrive here.
  useLayoutEffect(() => {
    if (!touch.matches || focusAsked.value > 1) field.current.focus();
  }, [focusAsked.value]);
  useLayoutEffect(() => fitHeight(field.current), [draft.value]);
  const onKeyDown = (event) => {
    if (!event.isComposing && slashKey(event)) return;
    if (isSend(event)) {
      event.preventDefault();
      sendAny();
    } else if (event.key === "ArrowUp" && !draft.value && !event.isComposing && editLast()) event.preventDefault();
  };
  const onSubmit = (event) => {
    event.preventDefault();
    sendAny();
    field.current.focus();
  };
  return html`<form class="composer" onSubmit=${onSubmit}>
    <${Refusal} />
    <${QueuedMessages} />
    <${SlashMenu} />
    <${DropZone} conversation=${place()} />
    <div class="composer-box">
      <${Documents} conversation=${place()} />
      <${AttachButton} conversation=${place()} />
      <textarea
        id="composer"
        ref=${field}
        rows="1"
        dir="auto"
        value=${draft.value}
        placeholder=${asked}
        aria-label=${asked}
        onPaste=${onPaste}
        aria-controls=${slashOpen() ? "slash" : null}
        aria-activedescendant=${slashActive()}
        enterkeyhint=${touch.matches ? "enter" : "send"}
        onInput=${(event) => write(event.currentTarget.value)}
        onKeyDown=${onKeyDown}></textarea>
      <${SendOrStop} busy=${busy} />
    </div>
    <${SmallPrint} />
  </form>`;
}

/** Messages that wait for the answer, in order. A click takes one back into the field. */
function QueuedMessages() {
  const id = conversation.value?.id;
  const texts = id ? queuedIn(id) : [];
  if (!texts.length) return null;
  return html`<ul class="queued-messages" aria-label=${t("queued_messages")}>
    ${texts.map((text, index) => html`<li key=${index + text}>
      <${Icon} name="clock" size=${16} />
      <span dir="auto">${text}</span>
      <${IconButton}
        icon="pencil"
        label=${t("queued_back")}
        onClick=${() => write([draft.value, takeQueued(id, index)].filter(Boolean).join("\n\n"))} />
    </li>`)}
  </ul>`;
}

function canSend(busy) {
  const documents = documentsIn(place());
  if (!documents.length) return Boolean(draft.value.trim());
  return isBatchMode(place()) ? canBeginBatch(place()) : !busy && areReady(documents);
}

function SendOrStop({ busy }) {
  const sendable = canSend(busy);
  const words = t(busy ? "send_after" : "send");
  return html`
    ${busy && html`<button
      key="stop"
      type="button"
      class="send stop"
      aria-label=${t("stop")}
      title=${`${t("stop")} (Esc)`}
      disabled=${isStopping.value}
      onClick=${stop}>
      <${Icon} name="square" size=${16} />
    </button>`}
    ${(!busy || sendable) && html`<button
      key="send"
      type="submit"
      class="send"
      aria-label=${words}
      title=${`${words} (Enter)`}
      disabled=${!sendable}>
      <${Icon} name="arrow-up" size=${20} />
    </button>`}
  `;
}

/** @param {Page.Refusal} refusal */
function refusalWords({ code, message, retryAfter, needed, most }) {
  const counted = most && { quota_exceeded: "refused_quota_counted", too_long: "refused_too_long_counted" }[code];
  const words = counted
    ? t(counted, { needed: integer(needed, locale()), most: integer(most, locale()) })
    : t(`refused_${code}`);
  const wait = retryAfter == null ? "" : ` ${t("try_again_in", roughly(retryAfter))}`;
  return `${words ?? message}${wait}`;
}

function Refusal() {
  const refused = refusal.value;
  const here = refused && refused.conversation === (conversation.value?.id ?? null);
  return html`<div role="alert">
    ${here && html`<p class="refusal">
      <${Icon} name="circle-alert" size=${16} />
      <span>${refusalWords(refused)}</span>
      ${refused.code === "too_long" && refused.needed && documentsIn(place()).length
        ? html`<button type="button" class="quiet strong" onClick=${sendTruncated}>${t("truncate")}</button>`
        : html`<button type="button" class="quiet strong" onClick=${() => retry(refused)}>${t("retry")}</button>`}
      <${IconButton} icon="x" label=${t("dismiss")} onClick=${() => dispatch({ type: "dismissed" })} />
    </p>`}
  </div>`;
}

function SmallPrint() {
  const most = maxContentChars.value;
  const length = draft.value.length;
  if (most && length > most * NEAR_LIMIT) {
    const over = length > most;
    return html`<p class=${`small-print${over ? " bad" : " warn"}`} role="status">
      ${t("length_of", { length: integer(length, locale()), most: integer(most, locale()) })}
    </p>`;
  }
  const context = engine.value?.context_tokens;
  const tokens = context && length > context / 2 ? roughTokens(draft.value) : 0;
  if (tokens > context * NEAR_LIMIT) {
    return html`<p class=${`small-print${tokens > context ? " bad" : " warn"}`} role="status">
      ${t("tokens_of", { tokens: integer(tokens, locale()), most: integer(context, locale()) })}
    </p>`;
  }
  const { model = "", state: name, detail } = engine.value ?? {};
  // Of a demonstration model the site tells which one it is, and why.
  const note = name === "ready" && detail;
  return html`<div class="small-print">
    <${QuotaRing} />
    ${note
      ? html`<details>
          <summary>${t("small_model", { model: shortName(model) })}</summary>
          <span lang="en">${note}</span>
        </details>`
      : t("check_answers")}
  </div>`;
}

/** The last part of a hub id or path; words are left as they are. */
export const shortName = (model) => (/\s/.test(model) ? model : model.split("/").at(-1));
