/** For screen readers: finished sentences of the answer being written here, a few at a time. */

import { effect, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { isActive } from "../reducer.js";
import { Sentences } from "../sentences.js";
import { running, state } from "../store.js";

/** Sentences are handed over together this often; a reader that is interrupted each second reads nothing. */
const EVERY_MS = 2_000;

const spoken = signal("");

function listen() {
  let following = null;
  let sentences;
  const pending = [];
  const timer = setInterval(() => {
    if (pending.length) spoken.value = pending.splice(0).join(" ");
  }, EVERY_MS);
  const end = effect(() => {
    const generation = running.value ?? (following ? state.value.generations[following] : null);
    if (!generation) return;
    if (generation.id !== following && generation.text === "") {
      following = generation.id;
      sentences = new Sentences();
    }
    if (generation.id !== following) return;
    const over = !isActive(generation);
    pending.push(...sentences.take(generation.text, over));
    if (over) {
      pending.push(t("answer_over"));
      following = null;
    }
  });
  return () => {
    clearInterval(timer);
    end();
  };
}

export function Announcer() {
  useEffect(listen, []);
  return html`<div class="visually-hidden" aria-live="polite" aria-atomic="true">${spoken.value}</div>`;
}
