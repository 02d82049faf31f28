/** One message: a question in its panel, or an answer on the page, with what can be done with it. */

import { computed, useComputed } from "@preact/signals";
import { Component } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { editing, continueAnswer, regenerate, show } from "../actions.js";
import { integer, moment, seconds, speed } from "../format.js";
import { html } from "../html.js";
import { locale, t } from "../i18n.js";
import { rate, removeMessage } from "../messages.js";
import { openDialog } from "../notices.js";
import { isActive } from "../reducer.js";
import { connection, conversation, runningId, state } from "../store.js";
import { AnswerText, useNear } from "./answer-text.js";
import { useCopied } from "./copying.js";
import { Attached } from "./documents.js";
import { Icon, IconButton } from "./icons.js";
import { QuestionEditor } from "./question-editor.js";
import { Waiting } from "./waiting.js";

/** Longer questions, such as pasted documents, are folded. */
const FOLD_CHARS = 1_800;
const FOLD_LINES = 24;

const same = (a, b) => a === b || (isFlat(a) && isFlat(b) && equal(a, b, Object.is));
const isFlat = (value) =>
  value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype;

function equal(a, b, compare) {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => compare(a[key], b[key]));
}

/** A component that renders again only when a property changed; flat objects are compared by their content. */
function memo(View) {
  return class Memo extends Component {
    shouldComponentUpdate(next) {
      return !equal(this.props, next, same);
    }

    render(properties) {
      return html`<${View} ...${properties} />`;
    }
  };
}

export const Message = memo(function OneMessage({ message, place, eager }) {
  const article = useRef(null);
  const near = useNear(article, eager);
  const isQuestion = message.role === "user";
  const Body = isQuestion ? Question : Answer;
  return html`<article
    ref=${article}
    class=${`message ${isQuestion ? "question" : "answer"}`}
    id=${`m-${message.id}`}
    aria-label=${t(isQuestion ? "your_question" : "answer")}>
    <${Body} message=${message} place=${place} near=${near} />
  </article>`;
});

function Question({ message, place, near }) {
  const long = message.content.length > FOLD_CHARS || message.content.split("\n", FOLD_LINES + 1).length > FOLD_LINES;
  const [folded, setFolded] = useState(long);
  // Its answer was deleted: so it can have another one.
  const last = useMemo(
    () => computed(() => !conversation.value?.tree?.children[message.id]?.length),
    [message.id],
  ).value;
  if (editing.value === message.id) return html`<${QuestionEditor} message=${message} />`;
  return html`
    <${Attached} documents=${message.attachments} />
    ${message.content && html`<div class=${`panel${folded ? " folded" : ""}`} dir="auto">${message.content}</div>`}
    ${long && html`<button
      type="button"
      class="quiet unfold"
      aria-expanded=${!folded}
      onClick=${() => setFolded(!folded)}>
      ${t(folded ? "show_all" : "show_less")}
    </button>`}
    ${near && html`<div class="tools">
      <${Said} at=${message.created_at} />
      <${Siblings} id=${message.id} place=${place} />
      <${CopyButton} text=${() => message.content} />
      ${last && !runningId.value && html`<${IconButton}
        icon="refresh-cw"
        label=${t("regenerate")}
        onClick=${() => regenerate(message)} />`}
      ${!runningId.value && html`
        <${IconButton}
          icon="pencil"
          label=${t("edit")}
          onClick=${() => {
            editing.value = message.id;
          }} />
        <${DeleteButton} message=${message} label="delete_question" />
      `}
    </div>`}
  `;
}

function Answer({ message, place, near }) {
  const generation = useComputed(() => state.value.generations[message.generation]).value;
  const active = isActive(generation);
  const text = generation?.text ?? message.content;
  if (editing.value === message.id) return html`<${QuestionEditor} message=${{ ...message, content: text }} />`;
  const stream = active && connection.value.state === "online" ? "streaming" : "";
  return html`
    <${Reasoning}
      text=${generation?.reasoning ?? message.reasoning}
      usage=${generation?.usage}
      thinking=${active && !text} />
    ${text && html`<div class=${stream}><${AnswerText} text=${text} near=${near} over=${!active} /></div>`}
    ${
      active &&
      !text &&
      !generation.reasoning &&
      (generation.status === "running" ? html`<${Reading} />` : html`<${Waiting} generation=${generation} />`)
    }
    ${generation && !active && html`<${Ending} generation=${generation} message=${message} />`}
    ${near && !active && html`<div class="tools">
      <${CopyButton} text=${() => text} />
      ${!runningId.value && html`
        <${IconButton} icon="refresh-cw" label=${t("regenerate")} onClick=${() => regenerate(message)} />
        <${IconButton}
          icon="pencil"
          label=${t("edit_answer")}
          onClick=${() => {
            editing.value = message.id;
          }} />
        <${DeleteButton} message=${message} label="delete_answer" />
      `}
      <${Thumbs} message=${message} />
      <${Siblings} id=${message.id} place=${place} />
      <${Details} usage=${generation?.usage} />
    </div>`}
    ${active && html`<div class="tools" aria-hidden="true"></div>`}
  `;
}

/** What the model thought before it answered, folded away; how long it took stands on the fold. */
function Reasoning({ text, usage, thinking }) {
  if (!text) return null;
  const words = thinking
    ? t("thinking")
    : usage?.reasoning_s
      ? t("thought_for", { time: seconds(usage.reasoning_s) })
      : t("reasoning");
  return html`<details class="reasoning"><summary>${words}</summary><p dir="auto">${text}</p></details>`;
}

/** The engine has it and reads: the mark has arrived where the text will begin. */
function Reading() {
  return html`<div class="reading">
    <span class="caret"></span>
    <span class="reading-words">${t("reading")}</span>
  </div>`;
}

const QUIET_ENDS = new Set(["finished", "queued", "running"]);

/** Why an answer ended before its end, and the ways on. */
function Ending({ generation, message }) {
  const { status, finish_reason: reason, text } = generation;
  const cut = reason === "length";
  if (!cut && QUIET_ENDS.has(status)) return null;
  const bad = !cut && status !== "cancelled";
  const words = [
    t(cut ? "ended_length" : `ended_${status}`),
    status === "failed" && generation.message,
    bad && text && t("text_kept"),
  ];
  const way = (key, onClick) => html`<button type="button" class="quiet strong" onClick=${onClick}>${t(key)}</button>`;
  return html`<p class=${`ending${bad ? " bad" : ""}`}>
    <${Icon} name=${bad ? "triangle-alert" : cut ? "info" : "square"} size=${16} />
    <span>${words.filter(Boolean).join(" ")}</span>
    ${!runningId.value && html`
      ${text && way("continue", () => continueAnswer(message))}
      ${bad && way("retry", () => regenerate(message))}
    `}
  </p>`;
}

/** The server keeps a question and an answer for every row of a batch. */
function isRowOfBatch({ parent }) {
  const { batch, tree } = conversation.peek() ?? {};
  return Boolean(batch) && !tree.nodes[parent]?.parent;
}

function DeleteButton({ message, label }) {
  if (isRowOfBatch(message)) return null;
  const remove = () => {
    // The button goes with its message: the keyboard stays in the conversation, before what comes next.
    document.querySelector(".scroll").focus();
    removeMessage(message);
  };
  return html`<${IconButton} icon="trash-2" label=${t(label)} onClick=${remove} />`;
}

function Said({ at }) {
  const date = new Date(at);
  return html`<time class="details" datetime=${date.toISOString()}>
    ${moment(date.getTime(), Date.now(), locale())}
  </time>`;
}

const THUMBS = [
  [1, "thumbs-up", "good_answer"],
  [-1, "thumbs-down", "bad_answer"],
];

function Thumbs({ message }) {
  const given = message.feedback?.value;
  return html`<span class="thumbs" role="group" aria-label=${t("rate")}>
    ${THUMBS.map(([value, icon, label]) => html`<${IconButton}
      key=${icon}
      icon=${icon}
      label=${t(label)}
      pressed=${given === value}
      onClick=${() => rate(message, given === value ? 0 : value)} />`)}
    ${given && html`<button type="button" class="quiet" onClick=${() => openDialog("comment", { message })}>
      ${t(message.feedback.comment ? "change_comment" : "add_comment")}
    </button>`}
  </span>`;
}

function Details({ usage }) {
  if (!usage?.completion_tokens) return null;
  const perSecond = speed(usage);
  const parts = [
    t("tokens", { count: usage.completion_tokens, shown: integer(usage.completion_tokens, locale()) }),
    usage.ttft_s != null && t("first_text_after", { time: seconds(usage.ttft_s) }),
    perSecond && t("tokens_per_second", { rate: integer(perSecond, locale()) }),
  ].filter(Boolean);
  return html`<span class="details" tabindex="0">${parts.join(" · ")}</span>`;
}

/** The version that an arrow has asked for, and which arrow: it takes the place of the one that had the focus. */
let walked = null;

function Siblings({ id, place }) {
  const box = useRef(null);
  useLayoutEffect(() => {
    if (walked?.id !== id) return;
    const side = walked.next ? ":last-child" : ":first-child";
    walked = null;
    (box.current.querySelector(`${side}:enabled`) ?? box.current.querySelector("button:enabled")).focus({
      preventScroll: true,
    });
  }, []);
  if (place.count < 2) return null;
  const walk = (to, next) => () => {
    walked = { id: to, next };
    show(to);
  };
  return html`<span ref=${box} class="siblings" role="group" aria-label=${t("versions")}>
    <${IconButton}
      icon="chevron-left"
      label=${t("previous_version")}
      disabled=${!place.previous}
      onClick=${walk(place.previous, false)} />
    <span class="figures">${place.index + 1}/${place.count}</span>
    <${IconButton}
      icon="chevron-right"
      label=${t("next_version")}
      disabled=${!place.next}
      onClick=${walk(place.next, true)} />
  </span>`;
}

function CopyButton({ text }) {
  const [copied, copy] = useCopied();
  return html`<${IconButton}
    icon=${copied ? "check" : "copy"}
    label=${t(copied ? "copied" : "copy")}
    onClick=${() => copy(text())} />`;
}
