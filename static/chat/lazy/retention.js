/** How long one conversation stays. */

import { useEffect, useState } from "preact/hooks";
import * as api from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { closeDialog, notify } from "../notices.js";
import { Dialog } from "./dialog.js";

const CHOICES = [null, 7, 30, 90, 365];

export function Body({ item }) {
  const [held, setHeld] = useState(null);
  const path = `conversations/${item.id}/keep`;
  useEffect(
    () =>
      void api.library(path).then(setHeld, (error) => {
        closeDialog();
        notify({ failed: error });
      }),
    [],
  );
  const save = async (event) => {
    event.preventDefault();
    try {
      await api.changeIn("conversations", `${item.id}/keep`, { days: held.days });
      closeDialog();
      notify({ key: "saved" });
    } catch (error) {
      notify({ failed: error });
    }
  };
  const choices = held && !CHOICES.includes(held.days) ? [...CHOICES, held.days] : CHOICES;
  return html`<${Dialog} title=${t("retention_title")}>
    <form class="stack" onSubmit=${save}>
      <p class="soft">${item.title || t("untitled")}</p>
      ${held
        ? html`
            <fieldset>
              <legend>${t("retention_legend")}</legend>
              ${choices.map((days) => html`<label class="choice" key=${days}>
                <input
                  type="radio"
                  name="days"
                  data-first=${held.days === days}
                  checked=${held.days === days}
                  onChange=${() => setHeld({ ...held, days })} />
                <span>${days === null ? siteWords(held) : t("retention_days", { days })}</span>
              </label>`)}
            </fieldset>
            <div class="ends"><button type="submit" class="button primary">${t("save")}</button></div>
          `
        : html`<p class="soft">${t("loading")}</p>`}
    </form>
  <//>`;
}

function siteWords({ site_days: days, spare_pinned: spared }) {
  if (!days) return t("retention_never");
  return t(spared ? "retention_site_unpinned" : "retention_site", { days });
}
