/** The middle of the page: what was said, or an invitation to begin. */

import { useComputed } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { editing, open, retryOpen, write } from "../actions.js";
import { closeItem, inItem } from "../batch.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { notify, openDialog } from "../notices.js";
import { openSidebar, sidebarOpen } from "./preferences.js";
import { LOCAL } from "../reducer.js";
import { target } from "../search.js";
import { conversation, engine, mayUse, state } from "../store.js";
import { branch, isBranched, leafOf, siblings } from "../tree.js";
import { Announcer } from "./announcer.js";
import { Banner } from "./banner.js";
import { NewChatOptions } from "./new-chat.js";
import { Composer, shortName } from "./composer.js";
import { atEnd, jumpToEnd, useAutoScroll } from "./auto-scroll.js";
import { clearMarks, showTarget } from "./search-target.js";
import { Icon, IconButton } from "./icons.js";
import { Message } from "./message.js";

/** The newest messages are rendered at once, the rest when they come near the window. */
const EAGER = 6;

/** More than a screen at first, then a few milliseconds' worth at a time. */
const FIRST_MOUNTED = 20;
const MOUNTED_AT_ONCE = 40;
const MOUNT_EVERY_MS = 30;

/** A found message comes with the ones before it, so that it stands in its place at once. */
const ABOVE_TARGET = 3;

export function Conversation({ user, covered }) {
  const box = useRef(null);
  const content = useRef(null);
  const held = conversation.value;
  const path = held?.tree ? branch(held.tree) : [];
  useAutoScroll(box, content, held && `${held.id} ${held.status} ${path.filter((one) => one.role === "user").length}`);
  return html`<main class="main" inert=${covered}>
    <${Bar} held=${held} />
    <${Banner} />
    <div class="scroll" ref=${box} tabindex="-1">
      <div class="column" ref=${content}>
        <${Content} held=${held} path=${path} user=${user} />
      </div>
    </div>
    <div class="foot">
      <${Jump} />
      ${canWrite(held) && html`<${Composer} />`}
    </div>
    <${Announcer} />
  </main>`;
}

/** Whether the rows of a batch are shown, and not one of its items. */
export const isBatch = (held) => Boolean(held?.batch) && inItem.value !== held.id;

/** Whether there is something to write to. */
export const canWrite = (held) => !isBatch(held) && held?.status !== "failed";

function Bar({ held }) {
  const { title, temporary } = held ?? {};
  const leaf = held?.tree ? leafOf(held.tree) : null;
  const canShare = mayUse("sharing") && leaf && !temporary && !leaf.id.startsWith(LOCAL);
  return html`<header class="bar">
    ${!sidebarOpen.value && html`
      <${IconButton}
        icon="panel-left"
        label=${t("open_sidebar")}
        title=${`${t("open_sidebar")} (Ctrl B)`}
        size=${18}
        onClick=${() => openSidebar(true)} />
      <${IconButton} icon="square-pen" label=${t("new_chat")} size=${18} onClick=${() => open(null)} />
    `}
    ${title ? html`<h1 title=${title} dir="auto">${title}</h1>` : html`<span class="no-title"></span>`}
    ${held?.batch && !isBatch(held) && html`<button type="button" class="quiet strong" onClick=${closeItem}>
      ${t("batch_back")}
    </button>`}
    ${temporary && html`<span class="tag" title=${t("temporary_explained")}>${t("temporary")}</span>`}
    <${Model} />
    ${leaf && !leaf.id.startsWith(LOCAL) && html`<${IconButton}
      icon="download"
      label=${t("export")}
      size=${18}
      onClick=${() =>
        openDialog("export", { id: held.id, title, leaf: leaf.id, branches: isBranched(held.tree) })} />`}
    ${canShare && html`<${IconButton}
      icon="share-2"
      label=${t("share")}
      size=${18}
      onClick=${() => openDialog("share", { leaf: leaf.id })} />`}
  </header>`;
}

function Model() {
  const held = engine.value;
  if (!held?.model) return null;
  return html`<p class="model" title=${held.model}>
    <span class="model-name">${shortName(held.model)}</span>
    ${held.emulated && html`<span class="tag">${t("emulated")}</span>`}
  </p>`;
}

function Content({ held, path, user }) {
  if (!held) return html`<${Welcome} user=${user} />`;
  if (held.status === "loading") return html`<${Skeleton} />`;
  if (held.status === "failed") return html`<${Failed} held=${held} />`;
  if (isBatch(held)) return html`<${BatchPlace} key=${held.id} id=${held.id} />`;
  return html`<${Messages} key=${held.key ?? held.id} tree=${held.tree} path=${path} />`;
}

/** The rows of a batch, whose module is fetched when the first is opened. */
function BatchPlace({ id }) {
  const [Batch, setBatch] = useState(null);
  useEffect(() => {
    import("../lazy/batch.js").then(
      (found) => setBatch(() => found.Batch),
      (error) => notify({ failed: error }),
    );
  }, []);
  return Batch ? html`<${Batch} id=${id} />` : html`<${Skeleton} />`;
}

/** Where the prompt of the newest answer on the path begins, if not at its root. */
function firstSeen(path) {
  const answer = path.findLast((one) => one.generation);
  return state.value.generations[answer?.generation]?.first_message ?? null;
}

/** Mounted from the end upwards, some at a time, so that a long conversation opens at once. */
function Messages({ tree, path }) {
  const [mounted, setMounted] = useState(FIRST_MOUNTED);
  useEffect(() => {
    if (mounted >= path.length) return undefined;
    const timer = setTimeout(() => setMounted(mounted + MOUNTED_AT_ONCE), MOUNT_EVERY_MS);
    return () => clearTimeout(timer);
  }, [mounted, path.length]);
  const wanted = target.value ? path.findIndex((one) => one.id === target.value.message) : -1;
  const from = Math.max(0, Math.min(path.length - mounted, wanted < 0 ? Infinity : wanted - ABOVE_TARGET));
  useEffect(showTarget, [target.value]);
  useEffect(() => clearMarks, []);
  const first = useComputed(() => firstSeen(path)).value;
  if (!path.length) return html`<p class="nothing-left">${t("no_messages")}</p>`;
  const shown = path
    .slice(from)
    .map((message, index) => html`<${Message}
      key=${message.key ?? message.id}
      message=${message}
      place=${siblings(tree, message.id)}
      eager=${from + index >= path.length - EAGER} />`);
  const border = path.findIndex((one) => one.id === first) - from;
  return border < 0 ? shown : shown.toSpliced(border, 0, html`<${LeftOut} key="left-out" />`);
}

/** Above the first message that the shown answer was written from, where the conversation has outgrown the context. */
function LeftOut() {
  return html`<p class="left-out" role="note"><span>${t("left_out")}</span></p>`;
}

/** The hours at which the greeting changes. */
const greeting = (hour) => (hour < 5 ? "evening" : hour < 12 ? "morning" : hour < 18 ? "afternoon" : "evening");

function Welcome({ user }) {
  const hour = new Date().getHours();
  // A name that is only the beginning of the address is no name to greet anybody by.
  const name = user.email.startsWith(`${user.name}@`) ? "" : user.name.split(/\s/, 1)[0];
  return html`<div class="welcome">
    <h1>${t(`good_${greeting(hour)}`, { name })}</h1>
    <p>${queueWords()}</p>
    <${NewChatOptions} />
    <ul class="starters">
      ${["summarise", "write", "explain"].map((key) => html`<li key=${key}>
        <button type="button" onClick=${() => begin(t(`starter_${key}_text`))}>
          <strong>${t(`starter_${key}`)}</strong>
          <span>${t(`starter_${key}_text`)}</span>
        </button>
      </li>`)}
    </ul>
  </div>`;
}

function begin(text) {
  write(text);
  const field = document.getElementById("composer");
  field.focus();
}

function queueWords() {
  const held = engine.value;
  if (!held) return t("connecting");
  if (held.state !== "ready") return t(`welcome_${held.state}`);
  return held.waiting ? t("welcome_busy", { count: held.waiting }) : t("welcome_ready");
}

function Skeleton() {
  return html`<div class="skeleton" role="status" aria-label=${t("loading")}>
    <i class="mine"></i>
    <i></i>
    <i></i>
    <i class="short"></i>
  </div>`;
}

function Failed({ held }) {
  const missing = held.code === "not_found";
  return html`<div class="welcome">
    <h1>${t(missing ? "missing_title" : "open_failed")}</h1>
    <p>${missing ? t("missing_text") : held.message || t("offline_short")}</p>
    <p>
      ${missing
        ? html`<button type="button" class="button" onClick=${() => open(null)}>${t("new_chat")}</button>`
        : html`<button type="button" class="button" onClick=${() => retryOpen(held.id)}>${t("retry")}</button>`}
    </p>
  </div>`;
}

function Jump() {
  if (!conversation.value || atEnd.value || editing.value) return null;
  return html`<button type="button" class="jump" onClick=${jumpToEnd}>
    <${Icon} name="arrow-down" size=${16} />
    ${t("jump")}
  </button>`;
}
