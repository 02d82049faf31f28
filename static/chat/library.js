/** Prompts and presets, fetched when they are first wanted. */

import { signal } from "@preact/signals";
import * as api from "./api.js";

/** null: not fetched yet. */
export const prompts = signal(null);
export const presets = signal(null);

/** The preset with which the next conversation begins, and whether that is a temporary one. */
export const chosenPreset = signal(null);
export const temporary = signal(false);

const LISTS = { prompts, presets };

/** Fetch a list once; `again` after a change. Fails silently: the menu then offers none. */
export async function need(name, again = false) {
  const list = LISTS[name];
  if (list.peek() && !again) return;
  list.value ??= [];
  try {
    list.value = (await api.library(name))[name];
  } catch {
    list.value = null;
  }
}

/** Sampling of a preset as the wire's params, or null. */
export function paramsOf(preset) {
  const fields = ["temperature", "top_p", "max_tokens"].filter((name) => preset?.[name] != null);
  return fields.length ? Object.fromEntries(fields.map((name) => [name, preset[name]])) : null;
}
