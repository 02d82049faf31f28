/**
 * Mermaid's diagrams. They are drawn in a hidden frame with an origin of its own (static/diagram/frame.js) and shown
 * as images: an image runs nothing and fetches nothing, so a diagram can look as it likes and do nothing.
 */

import { t } from "../i18n.js";
import { button, element, loadStyle } from "../view/elements.js";

/** Lucide's "code". */
const SOURCE = "m16 18 6-6-6-6 M8 6l-6 6 6 6";

/** A frame that does not answer for this long is stuck in a diagram; it is thrown away. */
const TIMEOUT_MS = 20_000;

/** Pictures kept, so that a conversation opened again shows them at once; the oldest go first. */
const MOST_KEPT = 40;

const styled = loadStyle("diagram");

const kept = new Map();
const waiting = new Map();
let frame = null;
let ready = null;
let number = 0;

function open() {
  frame = document.createElement("iframe");
  frame.className = "diagram-frame";
  frame.setAttribute("sandbox", "allow-scripts");
  frame.setAttribute("aria-hidden", "true");
  frame.tabIndex = -1;
  frame.src = "/diagram";
  ready = new Promise((resolve) => waiting.set("ready", resolve));
  document.body.append(frame);
}

function close(reason) {
  frame.remove();
  frame = null;
  for (const answer of waiting.values()) answer({ error: reason });
  waiting.clear();
}

addEventListener("message", ({ source, data }) => {
  if (!frame || source !== frame.contentWindow) return;
  const id = data.ready ? "ready" : data.id;
  waiting.get(id)?.(data);
  waiting.delete(id);
});

/** The page's own colours and type, as plain values: a frame does not inherit them. */
function readTheme() {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const colour = (role) => {
    probe.style.color = `var(--${role})`;
    return getComputedStyle(probe).color;
  };
  const found = {
    paper: colour("paper"),
    panel: colour("panel"),
    ink: colour("ink"),
    soft: colour("ink-soft"),
    line: colour("line-strong"),
    accent: colour("accent-soft"),
    parts: ["accent-soft", "warn-soft", "bad-soft", "hover"].map(colour),
    font: getComputedStyle(document.body).fontFamily,
    dark: isDark(),
  };
  probe.remove();
  return found;
}

/** One picture from the frame that is open now. */
async function request(diagram) {
  if (!frame) return { error: "timeout" };
  const used = frame;
  const timer = setTimeout(() => used === frame && close("timeout"), TIMEOUT_MS);
  const id = (number += 1);
  const picture = await new Promise((resolve) => {
    waiting.set(id, resolve);
    used.contentWindow.postMessage({ id, ...diagram }, "*");
  });
  clearTimeout(timer);
  return picture;
}

async function draw(source) {
  await styled;
  const present = readTheme();
  const key = JSON.stringify([source, present.dark]);
  if (kept.has(key)) return kept.get(key);
  if (!frame) open();
  await ready;
  const picture = await request({ source, theme: present });
  if (picture.error === "timeout") return picture;
  kept.set(key, picture);
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
  return picture;
}

const system = matchMedia("(prefers-color-scheme: dark)");
const chosenTheme = () => document.documentElement.dataset.theme;
const isDark = () => (chosenTheme() ? chosenTheme() === "dark" : system.matches);

/** Places with a picture, weakly: one that has left the page with its conversation is forgotten. */
const places = new Set();
const wanted = new WeakMap();

/**
 * The picture takes the code's place, and is drawn again whenever the theme turns; a button shows the code again.
 * Where there is no picture, the code stays, with the reason.
 */
export function drawDiagram(panel, source) {
  const place = element("div", "diagram");
  place.tabIndex = 0;
  place.setAttribute("role", "region");
  place.setAttribute("aria-label", t("diagram"));
  panel.firstChild.after(element("p", "diagram-note"), place);
  wanted.set(place, source);
  places.add(new WeakRef(place));
  return show(place);
}

async function show(place) {
  const picture = await draw(wanted.get(place));
  const { error } = picture;
  const panel = place.parentNode;
  panel.classList.toggle("drawn", !error);
  panel.querySelector(".diagram-note").textContent = error ? reasonOf(error) : "";
  if (error) return;
  place.replaceChildren(image(picture));
  if (!panel.querySelector("[data-action=source]")) {
    panel.querySelector("[data-action=wrap]").before(button("source", t("show_source"), SOURCE));
  }
}

const reasonOf = (error) =>
  error === "timeout" ? t("diagram_slow") : t("diagram_failed", { reason: error.split("\n", 1)[0] });

function redrawAll() {
  for (const held of places) {
    const place = held.deref();
    if (place?.isConnected) show(place);
    else places.delete(held);
  }
}

system.addEventListener("change", redrawAll);
new MutationObserver(redrawAll).observe(document.documentElement, { attributeFilter: ["data-theme"] });

function image({ svg, width, height }) {
  const made = document.createElement("img");
  made.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  made.width = Math.ceil(width);
  made.height = Math.ceil(height);
  made.alt = t("diagram_alt");
  return made;
}
