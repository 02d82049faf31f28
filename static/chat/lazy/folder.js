/** Put a conversation into a folder; a folder is a name, and exists as long as something lies in it. */

import { html } from "../html.js";
import { t } from "../i18n.js";
import { patch } from "../listing.js";
import { list } from "../store.js";
import { closeDialog, Sheet } from "../view/dialogs.js";

export function Body({ item }) {
  const file = (folder) => {
    closeDialog();
    if (folder !== item.folder) patch(item, { folder });
  };
  const onSubmit = (event) => {
    event.preventDefault();
    file(new FormData(event.currentTarget).get("folder").trim());
  };
  return html`<${Sheet} title=${t("move_to_folder")}>
    <form class="stack" onSubmit=${onSubmit}>
      <label>${t("folder_name")}<input name="folder" data-first list="folders" maxlength="60" autocomplete="off" defaultValue=${item.folder} /></label>
      <datalist id="folders">${list.value.folders.map((name) => html`<option value=${name} />`)}</datalist>
      <div class="ends">
        ${item.folder && html`<button type="button" class="button" onClick=${() => file("")}>${t("take_out")}</button>`}
        <button type="submit" class="button primary">${t("keep")}</button>
      </div>
    </form>
  <//>`;
}
