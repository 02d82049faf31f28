/** Settings: looks and language, what the model shall know, prompts, presets, links, account. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import * as api from "../api.js";
import { html } from "../html.js";
import { language, LANGUAGES, locale, t } from "../i18n.js";
import { notify } from "../notices.js";
import { chooseLanguage, chooseTheme, theme } from "../view/preferences.js";
import { mayUse } from "../store.js";
import { BudgetList } from "../view/quota.js";
import { CopyButton } from "./copy-button.js";
import { Data } from "./data.js";
import { Keys } from "./keys.js";
import { Presets, Prompts } from "./library.js";
import { Dialog, typedIn } from "./dialog.js";

const SECTIONS = {
  general: General,
  instructions: Instructions,
  prompts: Prompts,
  presets: Presets,
  links: Links,
  keys: Keys,
  data: Data,
  account: Account,
};

/** Sections about a feature that a plan may leave out. */
const FEATURE_OF = { links: "sharing", keys: "api" };

/** A section with words in it that are not kept stays, out of sight, while another is shown. */
export function Body({ section: first = "general" }) {
  const [section, setSection] = useState(first);
  const waiting = useRef(new Set());
  const body = useRef(null);
  useLayoutEffect(() => {
    body.current.scrollTop = 0;
  }, [section]);
  const choose = (name) => {
    if (typedIn(body.current.querySelector(":scope > :not([hidden])"))) waiting.current.add(section);
    else waiting.current.delete(section);
    setSection(name);
  };
  const reveal = (field) => choose(field.closest("[data-section]").dataset.section);
  return html`<${Dialog} title=${t("settings")} wide reveal=${reveal}>
    <div class="settings">
      <div class="tabs" role="group" aria-label=${t("settings")}>
        ${Object.keys(SECTIONS)
          .filter((name) => !(name in FEATURE_OF) || mayUse(FEATURE_OF[name]))
          .map((name) => html`<button
            key=${name}
            type="button"
            class="tab"
            aria-pressed=${section === name}
            onClick=${() => choose(name)}>
            ${t(`settings_${name}`)}
          </button>`)}
      </div>
      <div class="settings-body" ref=${body}>
        ${Object.entries(SECTIONS).map(
          ([name, Section]) =>
            (name === section || waiting.current.has(name)) &&
            html`<div key=${name} data-section=${name} hidden=${name !== section}><${Section} /></div>`,
        )}
      </div>
    </div>
  <//>`;
}

function General() {
  const choice = (name, value, checked, onChange, words) => html`<label class="choice" key=${value}>
    <input type="radio" name=${name} checked=${checked} onChange=${onChange} />
    <span>${words}</span>
  </label>`;
  return html`<div class="stack">
    <fieldset>
      <legend>${t("theme")}</legend>
      ${["system", "light", "dark"].map((key) =>
        choice("theme", key, theme.value === key, () => chooseTheme(key), t(`theme_${key}`)),
      )}
    </fieldset>
    <fieldset>
      <legend>${t("language")}</legend>
      ${Object.entries(LANGUAGES).map(([key, { name, tag }]) =>
        choice(
          "language",
          key,
          language.value === key,
          () => chooseLanguage(key),
          html`<span lang=${tag}>${name}</span>`,
        ),
      )}
    </fieldset>
  </div>`;
}

function Instructions() {
  const [kept, setKept] = useState(null);
  useEffect(() => void api.library("instructions").then(setKept, (error) => notify({ failed: error })), []);
  const save = async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    try {
      const text = form.text.value;
      const titles = form.titles?.checked;
      await api.saveInstructions({ text, titles });
      setKept({ ...kept, text, titles });
      notify({ key: "saved" });
    } catch (error) {
      notify({ failed: error });
    }
  };
  if (!kept) return html`<p class="soft">${t("loading")}</p>`;
  return html`<form class="stack" onSubmit=${save}>
    <label>
      ${t("instructions_label")}
      <textarea name="text" rows="8" maxlength="32768" defaultValue=${kept.text}></textarea>
    </label>
    <p class="soft">${t("instructions_help", { date: "{{date}}" })}</p>
    ${kept.site_titles && html`<label class="choice">
      <input type="checkbox" name="titles" defaultChecked=${kept.titles} />
      <span>${t("titles_wanted")}<span class="soft">${t("titles_explained")}</span></span>
    </label>`}
    <div class="ends"><button type="submit" class="button primary">${t("save")}</button></div>
  </form>`;
}

function Links() {
  const [shares, setShares] = useState(null);
  const load = () =>
    api.library("shares").then(
      (found) => setShares(found.shares),
      (error) => notify({ failed: error }),
    );
  useEffect(() => void load(), []);
  const revoke = async (id) => {
    await api.removeFrom("shares", id).catch((error) => notify({ failed: error }));
    load();
  };
  if (!shares) return html`<p class="soft">${t("loading")}</p>`;
  if (!shares.length) return html`<p class="soft">${t("no_links")}</p>`;
  const day = new Intl.DateTimeFormat(locale(), { dateStyle: "medium" });
  return html`<ul class="entries">
    ${shares.map((one) => html`<li key=${one.id}>
      <span>
        <a href=${one.path} target="_blank" rel="noopener">${one.title || t("untitled")}</a>
        <span class="soft">
          ${t(one.public ? "share_public" : "share_team")} · ${day.format(new Date(one.created_at))}
        </span>
      </span>
      <span>
        <${CopyButton}
          className="quiet"
          text=${location.origin + one.path}
          label=${t("copy_link_of", { title: one.title })} />
        <button
          type="button"
          class="quiet strong"
          aria-label=${t("revoke_of", { title: one.title })}
          onClick=${() => revoke(one.id)}>
          ${t("revoke")}
        </button>
      </span>
    </li>`)}
  </ul>`;
}

function Account() {
  return html`<div class="stack">
    <${BudgetList} />
    <ul class="entries">
      <li><a href="/usage">${t("usage_page")}</a></li>
      <li><a href="/accounts/password/change/">${t("change_password")}</a></li>
      <li><a href="/accounts/2fa/">${t("second_factor")}</a></li>
      <li><a href="/accounts/sessions/">${t("open_sessions")}</a></li>
    </ul>
  </div>`;
}
