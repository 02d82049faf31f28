/** Conversations by day, a new one, and the person's own menu. */

import { useEffect, useRef, useState } from "preact/hooks";
import { listConversations, open, patch, remove } from "../actions.js";
import { grouped } from "../days.js";
import { html } from "../html.js";
import { locale, t } from "../i18n.js";
import { narrow, openSidebar, sidebarOpen } from "../preferences.js";
import { query } from "../search.js";
import { busyConversations, current, list as listed } from "../store.js";
import { AccountMenu } from "./account.js";
import { Icon } from "./icons.js";
import { Menu, MenuItem } from "./menu.js";
import { SearchField, SearchResults } from "./search.js";

/** Load the next page when the end of the list comes this near. */
const NEAR_END_PX = 240;

function go(event, id) {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  open(id);
  if (narrow.matches) openSidebar(false);
}

export function Sidebar({ user }) {
  if (!sidebarOpen.value) return null;
  const list = listed.value;
  const onScroll = ({ currentTarget: box }) => {
    if (box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PX) loadMore();
  };
  return html`<nav class="sidebar" aria-label=${t("conversations")}>
    <div class="sidebar-head">
      <a class="wordmark" href="/" onClick=${(event) => go(event, null)}><${Mark} />chatsite</a>
      <button type="button" class="icon-button" aria-label=${t("close_sidebar")} title=${`${t("close_sidebar")} (Ctrl B)`}
        onClick=${() => openSidebar(false)}><${Icon} name="panel-left" /></button>
    </div>
    <a class="new-chat" href="/" title="Ctrl Shift O" onClick=${(event) => go(event, null)}><${Icon} name="square-pen" />${t("new_chat")}</a>
    <${SearchField} />
    <div class="conversations" onScroll=${query.value.trim() ? null : onScroll}>
      ${query.value.trim() ? html`<${SearchResults} />` : html`<${List} list=${list} />`}
    </div>
    <${AccountMenu} user=${user} />
  </nav>`;
}

function List({ list }) {
  return html`
      ${list.status === "loading" && html`<${ListSkeleton} />`}
      ${list.status === "failed" && html`<p class="list-note">${t("list_failed")}
        <button type="button" class="quiet strong" onClick=${() => listConversations()}>${t("retry")}</button></p>`}
      ${list.status === "ready" && !list.items.length && html`<p class="list-note">${t("no_conversations")}</p>`}
      ${grouped(list.items, Date.now()).map(
        ({ group, items }) => html`<section key=${group}>
          <h2>${groupName(group)}</h2>
          <ul>${items.map((item) => html`<${Row} key=${item.id} item=${item} />`)}</ul>
        </section>`,
      )}
  `;
}

let loading = false;

async function loadMore() {
  if (loading) return;
  loading = true;
  await listConversations({ more: true });
  loading = false;
}

function groupName(group) {
  if (!/^\d{4}/.test(group)) return t(`group_${group}`);
  const month = new Date(`${group}-15T12:00:00`);
  return new Intl.DateTimeFormat(locale(), { year: "numeric", month: "long" }).format(month);
}

/** The site's mark: a line with three in it, the first being served. */
export function Mark() {
  return html`<svg class="mark" viewBox="0 0 28 12" width="28" height="12" aria-hidden="true">
    <line x1="1" x2="27" y1="6" y2="6" /><circle class="first" cx="4" cy="6" r="4" /><circle cx="15" cy="6" r="2.5" /><circle cx="24" cy="6" r="2.5" />
  </svg>`;
}

function ListSkeleton() {
  return html`<div class="skeleton-list" aria-label=${t("loading")}>${[72, 54, 64, 40, 58].map((width) => html`<i key=${width} style=${{ width: `${width}%` }}></i>`)}</div>`;
}

function Row({ item }) {
  const [renaming, setRenaming] = useState(false);
  const here = current.value === item.id;
  if (renaming) return html`<li><${TitleField} item=${item} close=${() => setRenaming(false)} /></li>`;
  return html`<li class=${here ? "row here" : "row"}>
    <a href=${`/c/${item.id}`} aria-current=${here ? "page" : null} title=${item.title}
      onClick=${(event) => go(event, item.id)} onDblClick=${() => setRenaming(true)}>
      <span class="row-title">${item.title || t("untitled")}</span>
      ${busyConversations.value.has(item.id) && html`<span class="busy" role="img" aria-label=${t("answering")}></span>`}
    </a>
    <${Menu} label=${t("conversation_menu", { title: item.title })} className="icon-button row-menu">
      ${(close) => html`
        <${MenuItem} icon="pencil" onSelect=${() => { close(false); setRenaming(true); }}>${t("rename")}<//>
        <${MenuItem} icon=${item.pinned ? "pin-off" : "pin"} onSelect=${() => { close(); patch(item, { pinned: !item.pinned }); }}>
          ${t(item.pinned ? "unpin" : "pin")}<//>
        <${MenuItem} icon="trash-2" danger onSelect=${() => { close(false); remove(item); }}>${t("delete")}<//>
      `}
    <//>
  </li>`;
}

/** Rename in place: Enter keeps, Escape leaves it as it was. */
function TitleField({ item, close }) {
  const field = useRef(null);
  useEffect(() => field.current.select(), []);
  const keep = () => {
    const title = field.current.value.trim();
    close();
    if (title && title !== item.title) patch(item, { title });
  };
  const onKeyDown = (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter") keep();
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    }
  };
  return html`<input ref=${field} class="title-field" aria-label=${t("rename")} defaultValue=${item.title} maxlength="200"
    onKeyDown=${onKeyDown} onBlur=${keep} />`;
}
