/** The dialog that lists what the keyboard does. */

import { html } from "../html.js";
import { t } from "../i18n.js";
import { Dialog } from "./dialog.js";

/** @type {[string, string[]][]} */
const LISTED = [
  ["key_send", ["Enter"]],
  ["key_newline", ["Shift", "Enter"]],
  ["key_stop", ["Esc"]],
  ["key_edit_last", ["↑"]],
  ["key_save", ["Ctrl", "Enter"]],
  ["key_aside", ["Esc"]],
  ["key_new", ["Ctrl", "Shift", "O"]],
  ["key_search", ["Ctrl", "K"]],
  ["key_sidebar", ["Ctrl", "B"]],
  ["key_write", ["/"]],
  ["key_list", ["?"]],
];

export function Body() {
  return html`<${Dialog} title=${t("shortcuts")}>
    <dl>
      ${LISTED.map(([key, strokes]) => html`<div key=${key}>
        <dt>${t(key)}</dt>
        <dd>${strokes.map((stroke) => html`<kbd>${stroke}</kbd>`)}</dd>
      </div>`)}
    </dl>
  <//>`;
}
