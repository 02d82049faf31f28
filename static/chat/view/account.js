/** The person's menu at the foot of the sidebar: theme, language, shortcuts, account, sign out. */

import { html } from "../html.js";
import { language, LANGUAGES, t } from "../i18n.js";
import { openDialog } from "../notices.js";
import { chooseLanguage, chooseTheme, theme } from "./preferences.js";
import { Icon } from "./icons.js";
import { showShortcuts } from "./keys.js";
import { Menu, MenuItem } from "./menu.js";

const THEMES = { system: "monitor", light: "sun", dark: "moon" };

/** Signing out changes the server's state, so it is a form with the token, not a link. */
function signOut() {
  const form = document.createElement("form");
  form.method = "post";
  form.action = "/accounts/logout/";
  const token = document.createElement("input");
  token.name = "csrfmiddlewaretoken";
  token.value = document.querySelector('meta[name="csrf-token"]').content;
  form.append(token);
  document.body.append(form);
  form.submit();
}

export function AccountMenu({ user }) {
  const name = user.name || user.email;
  const trigger = html`
    <span class="avatar" aria-hidden="true">${[...name][0]?.toUpperCase()}</span>
    <span class="account-name">${name}</span>
    <${Icon} name="ellipsis" size=${16} />
  `;
  return html`<div class="account">
    <${Menu} label=${t("account_menu")} className="account-button" trigger=${trigger}>
      ${(close) => html`
        <div class="menu-title" role="presentation">${t("theme")}</div>
        ${Object.entries(THEMES).map(([key, icon]) => html`<${MenuItem}
          key=${key}
          icon=${icon}
          checked=${theme.value === key}
          onSelect=${() => chooseTheme(key)}>
          ${t(`theme_${key}`)}
        <//>`)}
        <div class="menu-title" role="presentation">${t("language")}</div>
        ${Object.entries(LANGUAGES).map(([key, { name: own, tag }]) => html`<${MenuItem}
          key=${key}
          icon="languages"
          checked=${language.value === key}
          onSelect=${() => {
            close();
            chooseLanguage(key);
          }}>
          <span lang=${tag}>${own}</span>
        <//>`)}
        <div class="menu-line" role="separator"></div>
        <${MenuItem}
          icon="settings"
          onSelect=${() => {
            close();
            openDialog("settings");
          }}>
          ${t("settings")}
        <//>
        <${MenuItem}
          icon="keyboard"
          onSelect=${() => {
            close();
            showShortcuts();
          }}>
          ${t("shortcuts")}
        <//>
        ${user.is_staff && html`<${MenuItem} icon="shield" href="/admin/">${t("console")}<//>`}
        <${MenuItem} icon="log-out" onSelect=${signOut}>${t("sign_out")}<//>
      `}
    <//>
  </div>`;
}
