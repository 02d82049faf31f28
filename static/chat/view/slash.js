/** `/` as the first character offers the prompt library: arrows choose, Enter or Tab puts the prompt in. */

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { draft, write } from "../actions.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { need, prompts } from "../library.js";
import { openDialog } from "../notices.js";

/** As many as fit over the field on a phone. */
const MOST_SHOWN = 6;

/** Where the arrows went, and in the list of which word: another word's list begins anew. */
const moved = signal(null);
const dismissed = signal("");

const asked = () => /^\/(\S*)$/.exec(draft.value)?.[1] ?? null;

function offered() {
  const word = asked();
  if (word === null || dismissed.value === draft.value) return null;
  const found = (prompts.value ?? []).filter((one) => one.name.toLowerCase().includes(word.toLowerCase()));
  return found.slice(0, MOST_SHOWN);
}

/** The option that Enter takes; -1 where nothing fits what was typed, which may be meant as it stands: a path. */
function chosen(list) {
  if (moved.value?.word === asked()) return Math.min(moved.value.to, list.length);
  return list.length || !asked() ? 0 : -1;
}

/** Whether the key was meant for the list. */
export function slashKey(event) {
  const list = offered();
  if (!list) return false;
  const count = list.length + 1;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) moved.value = { word: asked(), to: (Math.max(chosen(list), step < 0 ? 0 : -1) + step + count) % count };
  else if (event.key === "Escape") dismissed.value = draft.value;
  else if ((event.key === "Enter" || event.key === "Tab") && chosen(list) >= 0) choose(list[chosen(list)]);
  else return false;
  event.preventDefault();
  event.stopPropagation();
  return true;
}

function choose(prompt) {
  moved.value = null;
  const field = document.getElementById("composer");
  if (prompt)
    filling().then(
      ({ fill }) => put(field, fill(prompt.content, new Date())),
      () => write(prompt.content),
    );
  else {
    if (!asked()) write("");
    openDialog("settings", { section: "prompts" });
  }
  field.focus();
}

/** Fetched when the list opens. */
const filling = () => import("../lazy/placeholders.js");

/** Into the field at once, to mark what is left to fill in. */
function put(field, { text, start, end }) {
  field.value = text;
  write(text);
  field.setSelectionRange(start, end);
}

export const slashOpen = () => offered() !== null;

export function SlashMenu() {
  const word = asked();
  useEffect(() => {
    if (word === null) return;
    need("prompts");
    filling();
  }, [word]);
  const list = offered();
  if (!list) return null;
  const at = chosen(list);
  const option = (position, words, more, prompt) => html`<li
    key=${position}
    id=${`slash-${position}`}
    role="option"
    aria-selected=${at === position}
    onPointerDown=${(event) => {
      event.preventDefault();
      choose(prompt);
    }}>
    <strong>${words}</strong>
    <span>${more}</span>
  </li>`;
  return html`<ul class="slash" id="slash" role="listbox" aria-label=${t("settings_prompts")}>
    ${list.map((one, position) => option(position, `/${one.name}`, one.content.slice(0, 120), one))}
    ${option(list.length, t("manage_prompts"), "", null)}
  </ul>`;
}

/** For the field: which option the keyboard is on. */
export const slashActive = () => {
  const list = offered();
  return list && chosen(list) >= 0 ? `slash-${chosen(list)}` : null;
};
