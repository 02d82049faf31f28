/** Where one writes. Stop stands where Send was. A refused question comes back here with the reason. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { takeAhead, waitingIn } from "../ahead.js";
import { draft, editing, focusAsked, retry, send, stop, write } from "../actions.js";
import { html } from "../html.js";
import { locale, t } from "../i18n.js";
import { integer, roughly } from "../format.js";
import { branch } from "../tree.js";
import { conversation, dispatch, engine, isStopping, maxContentChars, refusal, runningId } from "../store.js";
import { Icon } from "./icons.js";
import { QuotaRing } from "./quota.js";
import { slashActive, slashKey, SlashMenu, slashOpen } from "./slash.js";
import { fitHeight } from "./textarea.js";

/** On a phone's keyboard Enter makes a new line; there is a button to send. */
const touch = matchMedia("(pointer: coarse)");

/** The limit is mentioned when this part of it is used. */
const NEAR_LIMIT = 0.8;

/** The model that comes with the site: small, and said to be. */
const EMBEDDED = /smollm2-135m/i;

function isSend(event) {
  // 229: Safari reports the Enter that ends a composition as a key of its own.
  if (event.isComposing || event.keyCode === 229) return false;
  return event.key === "Enter" && !event.shiftKey && !event.altKey && !touch.matches;
}

function editLast() {
  const questions = branch(conversation.value?.tree ?? { children: {}, nodes: {}, chosen: {} }).filter((one) => one.role === "user");
  if (questions.length && !runningId.value) editing.value = questions.at(-1).id;
  return questions.length > 0;
}

export function Composer() {
  const field = useRef(null);
  const busy = runningId.value !== null;
  // Before the next key, not after the next frame: what is typed at once must arrive here.
  useLayoutEffect(() => {
    if (!touch.matches || focusAsked.value > 1) field.current.focus();
  }, [focusAsked.value]);
  useLayoutEffect(() => fitHeight(field.current), [draft.value]);
  const onKeyDown = (event) => {
    if (!event.isComposing && slashKey(event)) return;
    if (isSend(event)) {
      event.preventDefault();
      send();
    } else if (event.key === "ArrowUp" && !draft.value && !event.isComposing && editLast()) event.preventDefault();
  };
  const onSubmit = (event) => {
    event.preventDefault();
    send();
    field.current.focus();
  };
  return html`<form class="composer" onSubmit=${onSubmit}>
    <${Refusal} />
    <${Ahead} />
    <${SlashMenu} />
    <div class="composer-box">
      <textarea id="composer" ref=${field} rows="1" value=${draft.value} placeholder=${t("ask")} aria-label=${t("ask")}
        aria-controls=${slashOpen() ? "slash" : null} aria-activedescendant=${slashActive()}
        enterkeyhint=${touch.matches ? "enter" : "send"} onInput=${(event) => write(event.currentTarget.value)} onKeyDown=${onKeyDown}></textarea>
      <${SendOrStop} busy=${busy} />
    </div>
    <${SmallPrint} />
  </form>`;
}

/** What was typed ahead, in order. A click takes it back into the field. */
function Ahead() {
  const id = conversation.value?.id;
  const texts = id ? waitingIn(id) : [];
  if (!texts.length) return null;
  return html`<ul class="ahead" aria-label=${t("ahead")}>${texts.map((text, index) => html`<li key=${index + text}>
    <${Icon} name="clock" size=${16} /><span>${text}</span>
    <button type="button" class="icon-button" aria-label=${t("ahead_back")} title=${t("ahead_back")}
      onClick=${() => write([draft.value, takeAhead(id, index)].filter(Boolean).join("\n\n"))}><${Icon} name="pencil" size=${16} /></button>
  </li>`)}</ul>`;
}

function SendOrStop({ busy }) {
  if (busy && !draft.value.trim()) {
    return html`<button key="stop" type="button" class="send stop" aria-label=${t("stop")} title=${`${t("stop")} (Esc)`}
      disabled=${isStopping.value} onClick=${stop}><${Icon} name="square" size=${16} /></button>`;
  }
  return html`<button key="send" type="submit" class="send" aria-label=${t(busy ? "send_after" : "send")} title=${`${t(busy ? "send_after" : "send")} (Enter)`}
    disabled=${!draft.value.trim()}><${Icon} name="arrow-up" size=${20} /></button>`;
}

function refusalWords({ code, message, retryAfter }) {
  const words = t(`refused_${code}`);
  const wait = retryAfter == null ? "" : ` ${t("try_again_in", roughly(retryAfter))}`;
  return `${words ?? message}${wait}`;
}

function Refusal() {
  const refused = refusal.value;
  const here = refused && (refused.conversation === (conversation.value?.id ?? null));
  return html`<div role="alert">${here && html`<p class="refusal">
    <${Icon} name="circle-alert" size=${16} />
    <span>${refusalWords(refused)}</span>
    <button type="button" class="quiet strong" onClick=${() => retry(refused)}>${t("retry")}</button>
    <button type="button" class="icon-button" aria-label=${t("dismiss")} title=${t("dismiss")} onClick=${() => dispatch({ type: "dismissed" })}><${Icon} name="x" size=${16} /></button>
  </p>`}</div>`;
}

function SmallPrint() {
  const most = maxContentChars.value;
  const length = draft.value.length;
  if (most && length > most * NEAR_LIMIT) {
    const over = length > most;
    return html`<p class=${`small-print${over ? " bad" : " warn"}`} role="status">
      ${t("length_of", { length: integer(length, locale()), most: integer(most, locale()) })}</p>`;
  }
  const model = engine.value?.model ?? "";
  return html`<p class="small-print"><${QuotaRing} />${EMBEDDED.test(model) ? t("small_model", { model: shortName(model) }) : t("check_answers")}</p>`;
}

/** The last part of a hub id or path; words are left as they are. */
export const shortName = (model) => (/\s/.test(model) ? model : model.split("/").at(-1));
