/** Keyboard: what works everywhere on the page, and the sheet that lists it. */

import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { focusAsked, open, stop } from "../actions.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { openSidebar, sidebarOpen } from "../preferences.js";
import { Icon } from "./icons.js";
import { focusSearch } from "./search.js";

const sheetOpen = signal(false);

export const showShortcuts = () => {
  sheetOpen.value = true;
};

const isWriting = (element) => element.matches?.("input, textarea, select, [contenteditable]");

const command = (event) => event.ctrlKey || event.metaKey;

/** `[test, action]`, tried in order. */
const KEYS = [
  [(event) => event.key === "Escape" && !sheetOpen.value, escape],
  [(event) => command(event) && event.shiftKey && event.key.toLowerCase() === "o", () => open(null)],
  [(event) => command(event) && !event.shiftKey && event.key.toLowerCase() === "b", () => openSidebar(!sidebarOpen.value)],
  [(event) => command(event) && !event.shiftKey && event.key.toLowerCase() === "k", find],
  [(event) => event.key === "?" && !isWriting(event.target), showShortcuts],
  [(event) => event.key === "/" && !command(event) && !isWriting(event.target), () => { focusAsked.value += 1; }],
];

function find() {
  openSidebar(true);
  focusSearch();
}

function escape() {
  if (document.documentElement.matches(":has(.backdrop)")) openSidebar(false);
  else stop();
}

export function listenForKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented) return;
    const found = KEYS.find(([test]) => test(event));
    if (!found) return;
    if (event.key !== "Escape") event.preventDefault();
    found[1]();
  });
}

const LISTED = [
  ["key_send", ["Enter"]],
  ["key_newline", ["Shift", "Enter"]],
  ["key_stop", ["Esc"]],
  ["key_edit_last", ["↑"]],
  ["key_new", ["Ctrl", "Shift", "O"]],
  ["key_search", ["Ctrl", "K"]],
  ["key_sidebar", ["Ctrl", "B"]],
  ["key_write", ["/"]],
  ["key_sheet", ["?"]],
];

export function ShortcutSheet() {
  const dialog = useRef(null);
  const isOpen = sheetOpen.value;
  useLayoutEffect(() => {
    if (isOpen) dialog.current.showModal();
  }, [isOpen]);
  if (!isOpen) return null;
  const close = () => { sheetOpen.value = false; };
  const onClick = (event) => event.target === dialog.current && dialog.current.close();
  return html`<dialog ref=${dialog} class="sheet" aria-labelledby="sheet-title" onClose=${close} onClick=${onClick}>
    <header>
      <h2 id="sheet-title">${t("shortcuts")}</h2>
      <button type="button" class="icon-button" aria-label=${t("dismiss")} title=${t("dismiss")} onClick=${() => dialog.current.close()}><${Icon} name="x" /></button>
    </header>
    <dl>${LISTED.map(([key, strokes]) => html`<div key=${key}><dt>${t(key)}</dt><dd>${strokes.map((stroke) => html`<kbd>${stroke}</kbd>`)}</dd></div>`)}</dl>
  </dialog>`;
}
