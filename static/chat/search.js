/** Looking for words in titles and messages: what is typed, what was found, and the place to open. */

import { effect, signal } from "@preact/signals";
import * as api from "./api.js";

/** What stands in the search field. */
export const query = signal("");

/** `{status: "idle" | "loading" | "ready" | "failed", hits, next}` for what is typed. */
const nothing = { status: "idle", hits: [], next: null };
export const results = signal(nothing);

/** The message to bring into view, once: `{message, words}` or null. */
export const target = signal(null);

/** A pause in typing after which the server is asked: short enough to feel immediate. */
const PAUSE_MS = 140;

/** A second look where the server had enough of this person's searches under way. */
const BUSY_MS = 1000;

let timer;
let asked = 0;

async function find(text, before) {
  asked += 1;
  const mine = asked;
  results.value = { ...results.value, status: "loading" };
  try {
    const { hits, next } = await api.search(text, before);
    if (mine !== asked) return;
    results.value = { status: "ready", hits: before ? [...results.value.hits, ...hits] : hits, next };
  } catch (error) {
    if (mine !== asked) return;
    // Searches for what was typed before may still be under way.
    if (error.code === "rate_limited") timer = setTimeout(() => find(text, before), BUSY_MS);
    else results.value = { ...nothing, status: "failed", message: error.message };
  }
}

effect(() => {
  const text = query.value.trim();
  clearTimeout(timer);
  asked += 1;
  if (!text) results.value = nothing;
  else timer = setTimeout(() => find(text, null), PAUSE_MS);
});

export const findMore = () => {
  const { next, status } = results.peek();
  if (next && status === "ready") find(query.peek().trim(), next);
};

export const findAgain = () => find(query.peek().trim(), null);

/** The words of a query, to be marked where it is shown. */
export const wordsOf = (text) => text.trim().toLowerCase().split(/\s+/).filter(Boolean);
