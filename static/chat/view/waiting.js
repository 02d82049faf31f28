/**
 * The position in the queue, drawn. A thin line leads to the place where the answer will begin; the requests before
 * yours are small marks on it, yours is the coloured one, and everything moves towards the answer as the queue does.
 * When it is your turn, your mark has become the caret of the answer.
 */

import { useEffect, useState } from "preact/hooks";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { waitWords } from "../format.js";
import { connection, engine } from "../store.js";

/** More people than this are not drawn one by one: the line is 20 em long. */
const MOST_DRAWN = 14;

/** The line creeps on between the server's messages, which come at most every 2 s, once a second. */
const TICK_MS = 1_000;

/** Creeping never claims a place that the server has not given. */
const MOST_CREEP = 0.9;

/** Where on the line, 0 to 1, the person at this place stands: far places lie closer together. */
const along = (place) => 1 - 1 / (1 + 0.16 * Math.max(0, place));

/** The wait that is left of an estimate, and the fraction of a place that should have been gained since. */
function progress({ position, eta, eta_at: since }, now) {
  if (!position || eta == null) return { left: null, gained: 0 };
  const elapsed = Math.max(0, (now - since) / 1000);
  return { left: eta - elapsed, gained: Math.min(MOST_CREEP, (elapsed * position) / Math.max(eta, 0.5)) };
}

function useNow() {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function positionWords({ position, local }) {
  if (local) return connection.value.state === "online" ? t("sending") : t("send_when_online");
  if (!position) return t("joining_queue");
  return t("queue_position", { position });
}

function etaWords(left) {
  const state = engine.value?.state ?? "ready";
  if (state !== "ready") return t(`wait_${state}`);
  if (left === null) return "";
  return t(...waitWords(left));
}

export function Waiting({ generation }) {
  const now = useNow();
  const { left, gained } = progress(generation, now);
  const place = positionWords(generation);
  const wait = generation.local ? "" : etaWords(left);
  return html`<div class="waiting">
    <p>${place}${wait && html`<span class="soft"> · ${wait}</span>`}</p>
    <p class="visually-hidden" role="status">${place}</p>
    <${Line} position=${generation.position} gained=${gained} />
  </div>`;
}

function Line({ position, gained }) {
  const place = position ? position - gained : MOST_DRAWN * 2;
  const before = Array.from({ length: Math.min((position ?? 1) - 1, MOST_DRAWN) }, (_, index) => index + 1);
  return html`<div class="queue-line" aria-hidden="true" style=${{ "--along": along(place) }}>
    ${before.map((distance) => html`<i key=${distance} style=${{ "--along": along(place - distance) }}></i>`)}
    <b></b>
  </div>`;
}
