/** Conversations by day, a new one, search, and the person's own menu. */

import { open } from "../actions.js";
import { grouped } from "../days.js";
import { html } from "../html.js";
import { locale, t } from "../i18n.js";
import { archive, listConversations, picked, remove, showView, view } from "../listing.js";
import { openDialog } from "../notices.js";
import { openSidebar, sidebarOpen } from "./preferences.js";
import { query } from "../search.js";
import { conversation, list as listed } from "../store.js";
import { AccountMenu } from "./account.js";
import { Icon, IconButton } from "./icons.js";
import { Menu, MenuItem } from "./menu.js";
import { go, Row } from "./row.js";
import { SearchField, SearchResults } from "./search.js";

/** Load the next page when the end of the list comes this near. */
const NEAR_END_PX = 240;

export function Sidebar({ user }) {
  if (!sidebarOpen.value) return null;
  const list = listed.value;
  const searching = query.value.trim() !== "";
  const onScroll = ({ currentTarget: box }) => {
    if (!searching && box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PX) loadMore();
  };
  return html`<nav class="sidebar" aria-label=${t("conversations")}>
    <div class="sidebar-head">
      <a class="wordmark" href="/" onClick=${(event) => go(event, null)}><${Mark} />chatsite</a>
      <${IconButton}
        icon="panel-left"
        label=${t("close_sidebar")}
        title=${`${t("close_sidebar")} (Ctrl B)`}
        size=${18}
        onClick=${() => openSidebar(false)} />
    </div>
    <a class="new-chat" href="/" title="Ctrl Shift O" onClick=${(event) => go(event, null)}>
      <${Icon} name="square-pen" />
      ${t("new_chat")}
    </a>
    <${SearchField} />
    <div class="conversations" onScroll=${onScroll}>
      ${searching ? html`<${SearchResults} />` : html`<${List} list=${list} />`}
    </div>
    ${picked.value && html`<${Picking} items=${list.items} />`}
    <${AccountMenu} user=${user} />
  </nav>`;
}

function List({ list }) {
  return html`
    ${list.status === "ready" && html`<${ViewMenu} folders=${list.folders} />`}
    ${list.status === "loading" && html`<${ListSkeleton} />`}
    ${list.status === "failed" && html`<p class="list-note">
      ${t("list_failed")}
      <button type="button" class="quiet strong" onClick=${() => listConversations()}>${t("retry")}</button>
    </p>`}
    ${list.status === "ready" && !list.items.length && html`<p class="list-note">
      ${t(view.value.archived ? "no_archived" : "no_conversations")}
    </p>`}
    ${!picked.value && html`<${Here} list=${list} />`}
    ${grouped(list.items, Date.now()).map(({ group, items }) => html`<section key=${group}>
      <h2>${groupName(group)}</h2>
      <ul>${items.map((item) => html`<${Row} key=${item.id} item=${item} />`)}</ul>
    </section>`)}
  `;
}

/** The shown conversation, where it belongs to the list but stands further down than the list has been read. */
function Here({ list }) {
  const { id, title, updated_at, pinned, archived, folder, temporary } = conversation.value ?? {};
  const shown = view.value;
  const belongs =
    updated_at && !temporary && archived === shown.archived && (!shown.folder || folder === shown.folder);
  if (!list.next || !belongs || list.items.some((one) => one.id === id)) return null;
  return html`<section>
    <h2>${t("group_here")}</h2>
    <ul><${Row} key=${id} item=${{ id, title, updated_at, pinned, archived, folder }} /></ul>
  </section>`;
}

const viewName = ({ archived, folder }) => (archived ? t("view_archived") : folder || t("view_all"));

/** Which conversations are listed: all, a folder, the archive. */
function ViewMenu({ folders }) {
  const shown = view.value;
  const trigger = html`
    <${Icon} name=${shown.archived ? "archive" : "folder"} size=${16} />
    <span class="row-title">${viewName(shown)}</span>
    <${Icon} name="chevrons-up-down" size=${16} />
  `;
  return html`<${Menu} label=${t("view_menu", { view: viewName(shown) })} className="view-button" trigger=${trigger}>
    ${(close) => {
      const choose = (next) => () => {
        close();
        showView(next);
      };
      return html`
        <${MenuItem} checked=${!shown.archived && !shown.folder} onSelect=${choose({})}>${t("view_all")}<//>
        ${folders.map((folder) => html`<${MenuItem}
          key=${folder}
          icon="folder"
          checked=${shown.folder === folder}
          onSelect=${choose({ folder })}>
          ${folder}
        <//>`)}
        <${MenuItem} icon="archive" checked=${shown.archived} onSelect=${choose({ archived: true })}>
          ${t("view_archived")}
        <//>
      `;
    }}
  <//>`;
}

function Picking({ items }) {
  const chosen = items.filter((one) => picked.value.has(one.id));
  const { archived } = view.value;
  const button = (icon, key, onClick, extra = "", disabled = !chosen.length) => html`<${IconButton}
    icon=${icon}
    label=${t(key)}
    size=${18}
    className=${`icon-button${extra}`}
    disabled=${disabled}
    onClick=${onClick} />`;
  return html`<div class="picking" role="group" aria-label=${t("pick_several")}>
    <span class="figures" role="status">${t("picked_count", { count: chosen.length })}</span>
    ${button("folder", "move_to_folder", () => openDialog("folder", { items: chosen }))}
    ${button("archive", archived ? "unarchive" : "archive", () => archive(chosen, !archived))}
    ${button("trash-2", "delete", () => remove(chosen, () => open(null)), " danger")}
    ${button(
      "x",
      "cancel",
      () => {
        picked.value = null;
      },
      "",
      false,
    )}
  </div>`;
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
    <line x1="1" x2="27" y1="6" y2="6" />
    <circle class="first" cx="4" cy="6" r="4" />
    <circle cx="15" cy="6" r="2.5" />
    <circle cx="24" cy="6" r="2.5" />
  </svg>`;
}

function ListSkeleton() {
  return html`<div class="skeleton-list" aria-label=${t("loading")}>
    ${[72, 54, 64, 40, 58].map((width) => html`<i key=${width} style=${{ width: `${width}%` }}></i>`)}
  </div>`;
}
