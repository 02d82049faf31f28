/** How long one conversation stays. */

import { useEffect, useState } from "preact/hooks";
import * as api from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { notify } from "../notices.js";
import { closeDialog, Sheet } from "./sheet.js";

const CHOICES = [null, 7, 30, 90, 365];

export function Body({ item }) {
  const [held, setHeld] = useState(null);
  const path = `conversations/${item.id}/keep`;
  useEffect(() => void api.library(path).then(setHeld, (error) => { closeDialog(); notify({ failed: error }); }), []);
  const keep = async (event) => {
    event.preventDefault();
    try {
      await api.changeIn("conversations", `${item.id}/keep`, { days: held.days });
      closeDialog();
      notify({ key: "kept" });
    } catch (error) {
      notify({ failed: error });
    }
  };
  const choices = held && !CHOICES.includes(held.days) ? [...CHOICES, held.days] : CHOICES;
  return html`<${Sheet} title=${t("keep_title")}>
    <form class="stack" onSubmit=${keep}>
      <p class="soft">${item.title || t("untitled")}</p>
      ${held
        ? html`<fieldset><legend>${t("keep_legend")}</legend>${choices.map((days) => html`<label class="choice" key=${days}>
            <input type="radio" name="days" data-first=${held.days === days} checked=${held.days === days} onChange=${() => setHeld({ ...held, days })} />
            <span>${days === null ? siteWords(held) : t("keep_days", { days })}</span></label>`)}</fieldset>
          <div class="ends"><button type="submit" class="button primary">${t("keep")}</button></div>`
        : html`<p class="soft">${t("loading")}</p>`}
    </form>
  <//>`;
}

function siteWords({ site_days: days, spare_pinned: spared }) {
  if (!days) return t("keep_for_ever");
  return t(spared ? "keep_site_unpinned" : "keep_site", { days });
}
