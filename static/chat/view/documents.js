/** Documents in the composer: chips with their progress, what they come to, and the choice of one answer for each. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { sendTruncated } from "../actions.js";
import {
  addFiles,
  areMoving,
  documentsIn,
  canBeBatch,
  batchMode,
  chooseEncoding,
  removeDocument,
  retryDocument,
  tokensOf,
} from "../documents.js";
import { integer } from "../format.js";
import { html } from "../html.js";
import { locale, t } from "../i18n.js";
import { openDialog } from "../notices.js";
import { engine, mayUse } from "../store.js";
import { Icon, IconButton } from "./icons.js";
import { Menu, MenuItem } from "./menu.js";

/** What the system's dialog offers first. What a file is, its content says in the end. */
const OFFERED =
  ".txt,.md,.csv,.tsv,.json,.xml,.yaml,.yml,.log,.html,.css,.js,.ts,.py,.java,.c,.cpp,.h,.go,.rs,.rb,.php,.sh," +
  ".sql,.pdf,.docx,text/*";

/** What a text may be written in, beside what was guessed; the server has the same list. */
const ENCODINGS = [
  "utf-8",
  "gb18030",
  "big5",
  "shift_jis",
  "euc-jp",
  "iso-2022-jp",
  "euc-kr",
  "windows-1252",
  "windows-1250",
  "windows-1251",
  "koi8-r",
  "windows-1253",
  "windows-1254",
  "windows-1255",
  "windows-1256",
  "windows-874",
  "utf-16le",
  "utf-16be",
];

const ICONS = { unreadable: "triangle-alert", failed: "triangle-alert" };

const shown = (number) => integer(number, locale());

/** Why a document has no text, in the reader's language. */
export const reasonOf = ({ reason, figures }) =>
  t(
    `unreadable_${reason}`,
    Object.fromEntries(Object.entries(figures ?? {}).map(([name, value]) => [name, shown(value)])),
  );

/** What there is to say about a document that was read: pages, tokens, what was guessed, and how much of it counts. */
export function sizeOf(one) {
  const parts = [
    one.pages && t("document_pages", { count: one.pages, shown: shown(one.pages) }),
    t("tokens", { count: one.tokens, shown: shown(one.tokens) }),
    one.encoding && t(`encoding_${one.encoding}`),
    one.sparse_pages > 0 && t("document_sparse", { sparse: shown(one.sparse_pages), shown: shown(one.pages) }),
    one.given != null && t("document_truncated", { percent: Math.max(1, Math.round((one.given / one.chars) * 100)) }),
  ];
  return parts.filter(Boolean).join(" · ");
}

function failedWords({ code, message }) {
  const known = ["empty", "too_long", "quota_exceeded", "rate_limited", "not_in_plan"].includes(code);
  return t("document_failed", { reason: known ? t(`upload_${code}`) : message || t("offline_short") });
}

function words(one) {
  switch (one.state) {
    case "ready":
      return sizeOf(one);
    case "unreadable":
      return reasonOf(one);
    case "failed":
      return failedWords(one);
    case "sending":
      return t("document_sending", { percent: Math.floor((one.sent / one.size) * 100) });
    default:
      return t(`document_${one.state}`);
  }
}

/** The button that opens the system's dialog. */
export function AttachButton({ conversation }) {
  const field = useRef(null);
  if (!mayUse("attachments")) return null;
  const onChange = ({ currentTarget }) => {
    addFiles(conversation, currentTarget.files);
    currentTarget.value = "";
    document.getElementById("composer").focus();
  };
  return html`
    <${IconButton}
      icon="paperclip"
      label=${t("attach")}
      title=${t("attach_hint")}
      size=${18}
      className="icon-button attach"
      onClick=${() => field.current.click()} />
    <input
      ref=${field}
      type="file"
      class="attach-field"
      multiple
      accept=${OFFERED}
      tabindex="-1"
      aria-hidden="true"
      onChange=${onChange} />
  `;
}

const isBad = ({ state }) => state === "unreadable" || state === "failed";

/** What is attached, with what it comes to. What stands in the way comes first: the list shows three rows. */
export function Documents({ conversation }) {
  const box = useRef(null);
  const list = documentsIn(conversation);
  const bad = list.filter(isBad);
  useLayoutEffect(() => {
    if (bad.length) box.current.scrollTop = 0;
  }, [bad.length]);
  if (!list.length) return null;
  return html`<div class="documents">
    <ul ref=${box} aria-label=${t("documents")}>
      ${[...bad, ...list.filter((one) => !isBad(one))].map((one) => html`<${Chip}
        key=${one.key}
        one=${one}
        conversation=${conversation} />`)}
    </ul>
    <${Sum} list=${list} />
  </div>`;
}

function Chip({ one, conversation }) {
  const bad = isBad(one);
  const moving = one.state === "sending" || one.state === "reading" || one.state === "waiting";
  return html`<li class=${`document${bad ? " bad" : ""}`}>
    <${Icon} name=${ICONS[one.state] ?? "file-text"} size=${16} />
    <span class="document-words">
      <span class="document-name" title=${one.name}>${one.name}</span>
      <span class="document-state">${words(one)}</span>
    </span>
    ${one.state === "ready" && one.encoding && html`<${EncodingMenu} one=${one} conversation=${conversation} />`}
    ${one.state === "failed" && html`<${IconButton}
      icon="refresh-cw"
      label=${`${t("retry")}: ${one.name}`}
      title=${t("retry")}
      onClick=${() => retryDocument(conversation, one.key)} />`}
    <${IconButton}
      icon="x"
      label=${t("document_remove", one)}
      onClick=${() => removeDocument(conversation, one.key)} />
    ${moving && html`<progress
      value=${one.state === "reading" ? null : one.sent / one.size}
      max="1"
      aria-label=${words(one)}></progress>`}
  </li>`;
}

/** What a text's bytes were taken for: a guess that its reader may know better. */
function EncodingMenu({ one, conversation }) {
  const encoding = t(`encoding_${one.encoding}`);
  return html`<${Menu} label=${t("encoding_menu", { name: one.name, encoding })}>
    ${(close) =>
      ENCODINGS.map((name) => html`<${MenuItem}
        key=${name}
        checked=${name === one.encoding}
        onSelect=${() => {
          close();
          if (name !== one.encoding) chooseEncoding(conversation, one, name);
        }}>
        ${t(`encoding_${name}`)}
      <//>`)}
  <//>`;
}

function Sum({ list }) {
  const each = batchMode.value && canBeBatch(list);
  const most = engine.value?.context_tokens ?? 0;
  const tokens = tokensOf(list);
  const over = most > 0 && !each && tokens >= most;
  const unreadable = !each && list.some((one) => one.state === "unreadable");
  return html`<div class="documents-sum">
    <span class=${over || unreadable ? "warn" : ""} role="status">
      ${areMoving(list) ? "" : sumWords(list, { tokens, most, over, unreadable })}
    </span>
    ${over && html`<button type="button" class="quiet strong" onClick=${sendTruncated}>${t("truncate")}</button>`}
    ${canBeBatch(list) && html`<label class="switch" title=${t("batch_mode_explained")}>
      <input
        type="checkbox"
        role="switch"
        checked=${batchMode.value}
        onChange=${(event) => {
          batchMode.value = event.currentTarget.checked;
        }} />
      <span>${t("batch_mode")}</span>
    </label>`}
  </div>`;
}

function sumWords(list, { tokens, most, over, unreadable }) {
  if (unreadable) return t("documents_unreadable");
  if (over) return t("documents_over", { tokens: shown(tokens), most: shown(most) });
  return t("documents_total", { count: list.length, tokens: shown(tokens) });
}

/** The whole page takes files; while something is dragged over it, it says so. */
export function DropZone({ conversation }) {
  const [over, setOver] = useState(false);
  useEffect(() => {
    if (!mayUse("attachments")) return undefined;
    let depth = 0;
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    const handlers = {
      dragenter: (event) => {
        if (hasFiles(event)) {
          depth += 1;
          setOver(true);
        }
      },
      dragleave: (event) => {
        if (hasFiles(event)) {
          depth = Math.max(0, depth - 1);
          setOver(depth > 0);
        }
      },
      dragover: (event) => {
        if (hasFiles(event)) event.preventDefault();
      },
      drop: (event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        depth = 0;
        setOver(false);
        addFiles(conversation, event.dataTransfer.files);
      },
    };
    for (const [name, handler] of Object.entries(handlers)) window.addEventListener(name, handler);
    return () => {
      for (const [name, handler] of Object.entries(handlers)) window.removeEventListener(name, handler);
    };
  }, [conversation]);
  if (!over) return null;
  return html`<div class="drop-zone" aria-hidden="true">
    <div><${Icon} name="file-text" size=${32} /><strong>${t("drop_here")}</strong><span>${t("drop_kinds")}</span></div>
  </div>`;
}

/** The documents of a question that was sent. Each opens what the model was given of it. */
export function Attached({ documents }) {
  if (!documents?.length) return null;
  return html`<ul class="attached" aria-label=${t("documents")}>
    ${documents.map((one) => html`<li key=${one.id}>
      <button
        type="button"
        class="document"
        title=${t("document_open", one)}
        onClick=${() => openDialog("document", { document: one })}>
        <${Icon} name="file-text" size=${16} />
        <span class="document-words">
          <span class="document-name">${one.name}</span>
          <span class="document-state">${sizeOf(one)}</span>
        </span>
      </button>
    </li>`)}
  </ul>`;
}
