/** The person's prompts and presets: a list, and a form for one of them. */

import { useEffect, useState } from "preact/hooks";
import * as api from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { need, presets, prompts } from "../library.js";
import { notify } from "../notices.js";

const LISTS = { prompts, presets };

function Collection({ name, empty, fresh, Form }) {
  const [edited, setEdited] = useState(null);
  useEffect(() => void need(name), []);
  const change = async (action) => {
    try {
      await action();
      await need(name, true);
      setEdited(null);
    } catch (error) {
      notify({ failed: error });
    }
  };
  const save = ({ id, mine: _mine, by: _by, ...entry }) =>
    change(() => (id ? api.changeIn(name, id, entry) : api.addTo(name, entry)));
  if (edited) return html`<${Form} entry=${edited} save=${save} cancel=${() => setEdited(null)} />`;
  const entries = LISTS[name].value ?? [];
  return html`<div class="stack">
    ${!entries.length && html`<p class="soft">${t(empty)}</p>`}
    <ul class="entries">
      ${entries.map((one) => html`<li key=${one.id}>
        <span>
          ${one.name}
          ${one.shared && html` <span class="soft">
            ${one.mine ? t("shared") : t("shared_by", { name: one.by })}
          </span>`}
        </span>
        ${one.mine !== false && html`<span>
          <button
            type="button"
            class="quiet"
            aria-label=${t("edit_of", { name: one.name })}
            onClick=${() => setEdited(one)}>
            ${t("edit")}
          </button>
          <button
            type="button"
            class="quiet"
            aria-label=${t("delete_of", { name: one.name })}
            onClick=${() => change(() => api.removeFrom(name, one.id))}>
            ${t("delete")}
          </button>
        </span>`}
      </li>`)}
    </ul>
    <div class="ends">
      <button type="button" class="button" onClick=${() => setEdited(fresh)}>${t(`new_${name}`)}</button>
    </div>
  </div>`;
}

/** A form whose fields are those of the entry; numbers may be empty. */
function EntryForm({ entry, save, cancel, children }) {
  const onSubmit = (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    const fields = {};
    for (const field of form.elements) {
      if (!field.name) continue;
      if (field.type === "checkbox") fields[field.name] = field.checked;
      else if (field.type === "number") fields[field.name] = field.value === "" ? null : Number(field.value);
      else fields[field.name] = field.value;
    }
    save({ ...entry, ...fields });
  };
  return html`<form class="stack" onSubmit=${onSubmit}>
    <label>
      ${t("entry_name")}
      <input name="name" required maxlength="60" pattern=".*\\S.*" defaultValue=${entry.name} autocomplete="off" />
    </label>
    ${children}
    <div class="ends">
      <button type="button" class="button" onClick=${cancel}>${t("cancel")}</button>
      <button type="submit" class="button primary">${t("save")}</button>
    </div>
  </form>`;
}

function PromptForm(props) {
  return html`<${EntryForm} ...${props}>
    <label>
      ${t("prompt_text")}
      <textarea
        name="content"
        rows="6"
        required
        maxlength="32768"
        defaultValue=${props.entry.content}
        aria-describedby="prompt-help"></textarea>
    </label>
    <p class="soft" id="prompt-help">
      ${t("prompt_help", { date: "{{date}}", time: "{{time}}", blank: `{{${t("prompt_blank")}}}` })}
    </p>
    <label class="choice">
      <input type="checkbox" name="shared" defaultChecked=${props.entry.shared} />
      <span>${t("prompt_share")}</span>
    </label>
  <//>`;
}

function PresetForm(props) {
  const number = (name, label, rule) => html`<label>
    ${t(label)}
    <input
      type="number"
      name=${name}
      defaultValue=${props.entry[name] ?? ""}
      placeholder=${t("site_default")}
      ...${rule} />
  </label>`;
  return html`<${EntryForm} ...${props}>
    <label>
      ${t("preset_system")}
      <textarea name="system" rows="5" maxlength="32768" defaultValue=${props.entry.system}></textarea>
    </label>
    <div class="trio">
      ${number("temperature", "preset_temperature", { min: 0, max: 2, step: 0.05 })}
      ${number("top_p", "preset_top_p", { min: 0.05, max: 1, step: 0.05 })}
      ${number("max_tokens", "preset_max_tokens", { min: 1, step: 1 })}
    </div>
  <//>`;
}

export const Prompts = () => html`<${Collection}
  name="prompts"
  empty="no_prompts"
  fresh=${{ name: "", content: "", shared: false }}
  Form=${PromptForm} />`;
export const Presets = () => html`<${Collection}
  name="presets"
  empty="no_presets"
  fresh=${{ name: "", system: "" }}
  Form=${PresetForm} />`;
