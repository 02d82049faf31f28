/** Make a link to the shown branch: for the team, or for everybody who has it. */

import { useState } from "preact/hooks";
import * as api from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { notify, openDialog } from "../notices.js";
import { Dialog } from "./dialog.js";

export function Body({ leaf }) {
  const [isPublic, setPublic] = useState(false);
  const [link, setLink] = useState(null);
  const [copied, setCopied] = useState(false);
  const make = async (event) => {
    event.preventDefault();
    try {
      const { path } = await api.addTo("shares", { leaf, public: isPublic });
      const made = location.origin + path;
      setLink(made);
      await navigator.clipboard?.writeText(made).then(
        () => setCopied(true),
        () => {},
      );
    } catch (error) {
      notify({ failed: error });
    }
  };
  return html`<${Dialog} title=${t("share_title")}>
    <form class="stack" onSubmit=${make}>
      <p class="soft">${t("share_explained")}</p>
      <fieldset>
        <legend class="visually-hidden">${t("share_for")}</legend>
        ${[false, true].map((value) => html`<label class="choice" key=${value}>
          <input
            type="radio"
            name="public"
            checked=${isPublic === value}
            onChange=${() => {
              setPublic(value);
              setLink(null);
            }} />
          <span>
            <strong>${t(value ? "share_public" : "share_team")}</strong>
            <span class="soft">${t(value ? "share_public_who" : "share_team_who")}</span>
          </span>
        </label>`)}
      </fieldset>
      ${link
        ? html`
            <label>
              ${t("share_link")}
              <input data-first readonly value=${link} onFocus=${(event) => event.currentTarget.select()} />
            </label>
            <p class="soft" role="status">${copied && t("link_copied")}</p>
            <div class="ends">
              <button type="button" class="button" onClick=${() => openDialog("settings", { section: "links" })}>
                ${t("share_list")}
              </button>
              <a class="button primary" href=${link} target="_blank" rel="noopener">${t("share_open")}</a>
            </div>
          `
        : html`<div class="ends">
            <button type="submit" class="button primary" data-first>${t("share_make")}</button>
          </div>`}
    </form>
  <//>`;
}
