/** The one place where state lives: a signal, changed only by the reducer. Streamed text is taken in once a frame. */

import { computed, signal } from "@preact/signals";
import { activeIn, initialState, isActive, reduce } from "./reducer.js";

export const state = signal(initialState);

export const dispatch = (/** @type {Page.Event} */ event) => {
  state.value = reduce(state.value, event);
};

/** What the person's plan holds (boot.features). What it leaves out is not offered; the server refuses it too. */
const features = new Set();

export const setFeatures = (names) => names.forEach((name) => features.add(name));

export const mayUse = (feature) => features.has(feature);

export const current = computed(() => state.value.current);
export const conversation = computed(() => state.value.conversations[state.value.current] ?? null);
export const list = computed(() => state.value.list);
export const engine = computed(() => state.value.engine);
export const connection = computed(() => state.value.connection);
export const refusal = computed(() => state.value.refusal ?? null);
export const maxContentChars = computed(() => state.value.maxContentChars);

/** The answer being made on the shown path; its text changes with every frame, so few should read this. */
export const running = computed(() => activeIn(state.value, state.value.current));

/** Its id and whether it is being stopped: for what need not know its text. */
export const runningId = computed(() => running.value?.id ?? null);
export const isStopping = computed(() => Boolean(running.value?.stopping));

/** Ids of conversations in which an answer is being made, joined, so that equal sets are equal. */
const busyIds = computed(() => {
  const { busy, generations } = state.value;
  const here = Object.values(generations)
    .filter(isActive)
    .map((one) => one.conversation);
  return [...new Set([...Object.values(busy), ...here])].sort().join(" ");
});
export const busyConversations = computed(() => new Set(busyIds.value.split(" ")));

/** Whether nobody can see the page: it lies in another tab. Set by view/page.js. */
export const hidden = signal(false);

/** A hidden page gets no animation frames; text is then taken in after this long. */
const HIDDEN_FLUSH_MS = 250;

/** @type {Page.Frame[]} */
let waiting = [];
let scheduled = false;

function flush() {
  scheduled = false;
  if (!waiting.length) return;
  const events = waiting;
  waiting = [];
  state.value = events.reduce(reduce, state.value);
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  if (hidden.value) setTimeout(flush, HIDDEN_FLUSH_MS);
  else requestAnimationFrame(flush);
}

/** Take a frame from the server: text with the next animation frame, everything else now and in order. */
export function receive(/** @type {Wire.ServerFrame} */ frame) {
  waiting.push({ ...frame, at: Date.now() });
  if (frame.type === "delta") schedule();
  else flush();
}

hidden.subscribe(flush);
