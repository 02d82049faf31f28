/** Keyboard: what works everywhere on the page. lazy/shortcuts.js lists it. */

import { focusAsked, open, stop } from "../actions.js";
import { picked } from "../listing.js";
import { openDialog } from "../notices.js";
import { openSidebar, sidebarOpen } from "./preferences.js";
import { focusSearch } from "./search.js";

export const showShortcuts = () => openDialog("shortcuts");

const isWriting = (element) => element.matches?.("input, textarea, select, [contenteditable]");

const command = (event) => event.ctrlKey || event.metaKey;

/** `[test, action]`, tried in order. */
const KEYS = [
  [(event) => event.key === "Escape", escape],
  [(event) => command(event) && event.shiftKey && event.key.toLowerCase() === "o", () => open(null)],
  [
    (event) => command(event) && !event.shiftKey && event.key.toLowerCase() === "b",
    () => openSidebar(!sidebarOpen.value),
  ],
  [(event) => command(event) && !event.shiftKey && event.key.toLowerCase() === "k", find],
  [(event) => event.key === "?" && !isWriting(event.target), showShortcuts],
  [
    (event) => event.key === "/" && !command(event) && !isWriting(event.target),
    () => {
      focusAsked.value += 1;
    },
  ],
];

function find() {
  openSidebar(true);
  focusSearch();
}

function escape() {
  if (picked.value) picked.value = null;
  else if (document.documentElement.matches(":has(.backdrop)")) openSidebar(false);
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
