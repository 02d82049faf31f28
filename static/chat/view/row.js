/** One conversation in the sidebar: its title, its menu, a box while several are being picked. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { open } from "../actions.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { archive, patch, pick, picked, remove } from "../listing.js";
import { openDialog } from "../notices.js";
import { narrow, openSidebar } from "./preferences.js";
import { busyConversations, current } from "../store.js";
import { Menu, MenuItem } from "./menu.js";

export function go(event, id) {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  open(id);
  if (narrow.matches) openSidebar(false);
}

export function Row({ item }) {
  const [renaming, setRenaming] = useState(false);
  const here = current.value === item.id;
  if (renaming) return html`<li><${TitleField} item=${item} close=${() => setRenaming(false)} /></li>`;
  if (picked.value) return html`<${PickRow} item=${item} />`;
  return html`<li class=${here ? "row here" : "row"}>
    <a
      href=${`/c/${item.id}`}
      aria-current=${here ? "page" : null}
      title=${item.title}
      onClick=${(event) => go(event, item.id)}
      onDblClick=${() => setRenaming(true)}>
      <span class="row-title" dir="auto">${item.title || t("untitled")}</span>
      ${busyConversations.value.has(item.id) && html`<span
        class="busy"
        role="img"
        aria-label=${t("answering")}></span>`}
    </a>
    <${RowMenu} item=${item} rename=${() => setRenaming(true)} />
  </li>`;
}

function RowMenu({ item, rename }) {
  return html`<${Menu} label=${t("conversation_menu", { title: item.title })} className="icon-button row-menu">
    ${(close) => {
      const then =
        (action, refocus = false) =>
        () => {
          close(refocus);
          action();
        };
      return html`
        <${MenuItem} icon="pencil" onSelect=${then(rename)}>${t("rename")}<//>
        <${MenuItem}
          icon=${item.pinned ? "pin-off" : "pin"}
          onSelect=${then(() => patch(item, { pinned: !item.pinned }), true)}>
          ${t(item.pinned ? "unpin" : "pin")}
        <//>
        <${MenuItem} icon="folder" onSelect=${then(() => openDialog("folder", { items: [item] }))}>
          ${t("move_to_folder")}
        <//>
        <${MenuItem} icon="archive" onSelect=${then(() => archive([item], !item.archived))}>
          ${t(item.archived ? "unarchive" : "archive")}
        <//>
        <${MenuItem} icon="download" onSelect=${then(() => openDialog("export", { id: item.id, title: item.title }))}>
          ${t("export_menu")}
        <//>
        <${MenuItem} icon="clock" onSelect=${then(() => openDialog("retention", { item }))}>
          ${t("retention_menu")}
        <//>
        <${MenuItem} icon="list-checks" onSelect=${then(() => pick(item.id))}>${t("pick_several")}<//>
        <${MenuItem} icon="trash-2" danger onSelect=${then(() => remove([item], () => open(null)))}>${t("delete")}<//>
      `;
    }}
  <//>`;
}

function PickRow({ item }) {
  return html`<li class="row">
    <label class="pick">
      <input type="checkbox" checked=${picked.value.has(item.id)} onChange=${() => pick(item.id)} />
      <span class="row-title" dir="auto">${item.title || t("untitled")}</span>
    </label>
  </li>`;
}

/** Rename in place: Enter saves, Escape leaves it as it was. */
function TitleField({ item, close }) {
  const field = useRef(null);
  useLayoutEffect(() => field.current.select(), []);
  const save = () => {
    // Taking the field away blurs it, which asks once more.
    if (!field.current) return;
    const title = field.current.value.trim();
    close();
    if (title && title !== item.title) patch(item, { title });
  };
  const onKeyDown = (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter") save();
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    }
  };
  return html`<input
    ref=${field}
    class="title-field"
    dir="auto"
    aria-label=${t("rename")}
    defaultValue=${item.title}
    maxlength="200"
    onKeyDown=${onKeyDown}
    onBlur=${save} />`;
}
