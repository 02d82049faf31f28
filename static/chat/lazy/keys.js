/** API keys: what there is, a new one (shown this once), revoking. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import * as api from "../api.js";
import { html } from "../html.js";
import { locale, t } from "../i18n.js";
import { notify } from "../notices.js";
import { CopyButton } from "./copy-button.js";

const DAY_MS = 86_400_000;

/** Days until a new key ends; 0: never. */
const ENDS_IN_DAYS = [90, 30, 365, 0];

export function Keys() {
  const [list, setList] = useState(null);
  const [made, setMade] = useState("");
  const attempt = (action) => action().catch((error) => notify({ failed: error }));
  const load = () => attempt(async () => setList(await api.library("keys")));
  useEffect(() => void load(), []);
  const make = (event) => {
    event.preventDefault();
    const fields = event.currentTarget;
    const form = new FormData(fields);
    const days = Number(form.get("days"));
    const entry = { name: form.get("name").trim(), scopes: form.getAll("scope") };
    if (days) entry.expires_at = new Date(Date.now() + days * DAY_MS).toISOString();
    attempt(async () => {
      setMade((await api.addTo("keys", entry)).key);
      fields.reset();
      await load();
    });
  };
  const revoke = (id) =>
    attempt(async () => {
      await api.removeFrom("keys", id);
      await load();
    });
  if (!list) return html`<p class="soft">${t("loading")}</p>`;
  return html`<div class="stack">
    ${made && html`<${Made} key=${made} made=${made} />`}
    <p><a href="/docs/api" target="_blank" rel="noopener">${t("key_docs")}</a></p>
    <ul class="entries">${list.keys.map((one) => html`<${Entry} key=${one.id} one=${one} revoke=${revoke} />`)}</ul>
    <form class="stack" onSubmit=${make}>
      <label>
        ${t("key_name")}
        <input name="name" required maxlength="100" pattern=".*\\S.*" autocomplete="off" />
      </label>
      <fieldset>
        <legend>${t("key_scopes")}</legend>
        ${list.scopes.map((scope) => html`<label class="choice" key=${scope}>
          <input type="checkbox" name="scope" value=${scope} defaultChecked />
          <span>${t(`scope_${scope}`)}</span>
        </label>`)}
      </fieldset>
      <label>
        ${t("key_ends")}
        <select name="days">
          ${ENDS_IN_DAYS.map((days) => html`<option key=${days} value=${days}>
            ${days ? t("key_days", { days }) : t("key_never")}
          </option>`)}
        </select>
      </label>
      <div class="ends"><button type="submit" class="button primary">${t("new_key")}</button></div>
    </form>
  </div>`;
}

/** The form that made it may be far below: the key comes into sight, and is ready to be copied. */
function Made({ made }) {
  const field = useRef(null);
  useLayoutEffect(() => {
    field.current.scrollIntoView({ block: "center" });
    field.current.focus();
  }, []);
  return html`<label>
    ${t("key_once")}
    <span class="beside">
      <input ref=${field} readonly value=${made} onFocus=${(event) => event.currentTarget.select()} />
      <${CopyButton} text=${made} />
    </span>
  </label>`;
}

function Entry({ one, revoke }) {
  const day = (moment) => new Intl.DateTimeFormat(locale(), { dateStyle: "medium" }).format(new Date(moment));
  const facts = [
    `${one.prefix}…`,
    one.last_used_at ? t("key_used", { day: day(one.last_used_at) }) : t("key_unused"),
    one.expires_at && t("key_until", { day: day(one.expires_at) }),
  ].filter(Boolean);
  return html`<li>
    <span>${one.name}<span class="soft">${facts.join(" · ")}</span></span>
    <button
      type="button"
      class="quiet strong"
      aria-label=${t("revoke_key", { name: one.name })}
      onClick=${() => revoke(one.id)}>
      ${t("revoke")}
    </button>
  </li>`;
}
