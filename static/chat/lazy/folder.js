/** Put conversations into a folder; a folder is a name, and exists as long as something lies in it. */

import { useState } from "preact/hooks";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { moveTo } from "../listing.js";
import { list } from "../store.js";
import { Icon } from "../view/icons.js";
import { closeDialog } from "../notices.js";
import { Dialog } from "./dialog.js";

/** Characters of a title in the heading: two lines of it on a phone. */
const SHOWN_CHARS = 32;

function shortened(title) {
  const characters = [...title];
  return characters.length > SHOWN_CHARS ? `${characters.slice(0, SHOWN_CHARS).join("").trimEnd()}…` : title;
}

export function Body({ items }) {
  const { folders } = list.value;
  const [naming, setNaming] = useState(!folders.length);
  const file = (folder) => {
    closeDialog();
    if (items.some((one) => one.folder !== folder)) moveTo(items, folder);
  };
  const holds = (name) => items.every((one) => one.folder === name);
  const title = t("move_title", { title: shortened(items[0].title || t("untitled")), count: items.length });
  return html`<${Dialog} title=${title}>
    <ul class="stack folders" aria-label=${t("folder_name")}>
      ${folders.map((name, index) => html`<li key=${name}>
        <${Choice} icon="folder" first=${!index} here=${holds(name)} choose=${() => file(name)}>${name}<//>
      </li>`)}
      ${items.some((one) => one.folder) && html`<li>
        <${Choice} icon="x" choose=${() => file("")}>${t("take_out")}<//>
      </li>`}
      ${!naming && html`<li><${Choice} icon="plus" choose=${() => setNaming(true)}>${t("new_folder")}<//></li>`}
    </ul>
    ${naming && html`<${NewFolder} file=${file} />`}
  <//>`;
}

function Choice({ icon, first, here, choose, children }) {
  return html`<button
    type="button"
    class="menu-item"
    data-first=${first}
    aria-current=${here ? "true" : null}
    onClick=${choose}>
    <span class="menu-icon"><${Icon} name=${icon} size=${16} /></span>
    <span>${children}</span>
    ${here && html`<${Icon} name="check" size=${16} />`}
  </button>`;
}

function NewFolder({ file }) {
  const onSubmit = (event) => {
    event.preventDefault();
    file(new FormData(event.currentTarget).get("folder").trim());
  };
  return html`<form class="stack" onSubmit=${onSubmit}>
    <label>
      ${t("new_folder")}
      <input
        ref=${(field) => field?.focus()}
        name="folder"
        data-first
        required
        pattern=".*\\S.*"
        maxlength="60"
        autocomplete="off" />
    </label>
    <div class="ends"><button type="submit" class="button primary">${t("move_here")}</button></div>
  </form>`;
}
