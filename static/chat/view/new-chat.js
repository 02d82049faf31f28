/** How a new conversation begins: with which preset, and whether it is to be forgotten. */

import { useEffect } from "preact/hooks";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { chosenPreset, need, presets, temporary } from "../library.js";
import { openDialog } from "../notices.js";
import { mayUse } from "../store.js";
import { Icon } from "./icons.js";
import { Menu, MenuItem } from "./menu.js";

export function NewChatOptions() {
  useEffect(() => void need("presets"), []);
  return html`<div class="new-chat-options">
    <${PresetMenu} />
    ${mayUse("temporary") && html`<button
      type="button"
      class="chip"
      aria-pressed=${temporary.value}
      title=${t("temporary_explained")}
      onClick=${() => {
        temporary.value = !temporary.value;
      }}>
      <${Icon} name="hourglass" size=${16} />
      ${t("temporary")}
    </button>`}
    ${temporary.value && html`<p class="soft">${t("temporary_explained")}</p>`}
  </div>`;
}

function PresetMenu() {
  const list = presets.value ?? [];
  const chosen = list.find((one) => one.id === chosenPreset.value);
  const trigger = html`
    <${Icon} name="sliders-horizontal" size=${16} />
    <span>${chosen?.name ?? t("preset_none")}</span>
  `;
  return html`<${Menu} label=${t("preset_menu")} className="chip" trigger=${trigger}>
    ${(close) => {
      const choose = (id) => () => {
        close();
        chosenPreset.value = id;
      };
      return html`
        <${MenuItem} checked=${!chosen} onSelect=${choose(null)}>${t("preset_none")}<//>
        ${list.map((one) => html`<${MenuItem}
          key=${one.id}
          checked=${chosen?.id === one.id}
          onSelect=${choose(one.id)}>
          ${one.name}
        <//>`)}
        <div class="menu-line" role="separator"></div>
        <${MenuItem}
          icon="pencil"
          onSelect=${() => {
            close(false);
            openDialog("settings", { section: "presets" });
          }}>
          ${t("manage_presets")}
        <//>
      `;
    }}
  <//>`;
}
