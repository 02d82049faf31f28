/**
 * Mermaid's diagrams. They are drawn in a hidden frame with an origin of its own (static/diagram/frame.js) and shown
 * as images: an image runs nothing and fetches nothing, so a diagram can look as it likes and do nothing.
 */

/** A frame that does not answer for this long is stuck in a diagram; it is thrown away. */
const PATIENCE_MS = 20_000;

/** Pictures kept, so that a conversation opened again shows them at once; the oldest go first. */
const MOST_KEPT = 40;

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
function look() {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const colour = (role) => {
    probe.style.color = `var(--${role})`;
    return getComputedStyle(probe).color;
  };
  const found = {
    paper: colour("paper"), panel: colour("panel"), ink: colour("ink"), soft: colour("ink-soft"), line: colour("line-strong"),
    accent: colour("accent-soft"), parts: ["accent-soft", "warn-soft", "bad-soft", "hover"].map(colour), font: getComputedStyle(document.body).fontFamily, dark: isDark(),
  };
  probe.remove();
  return found;
}

async function draw(source) {
  const present = look();
  const key = JSON.stringify([source, present.dark]);
  if (kept.has(key)) return kept.get(key);
  if (!frame) open();
  const began = frame;
  const timer = setTimeout(() => began === frame && close("timeout"), PATIENCE_MS);
  const opened = await ready;
  const id = (number += 1);
  const picture = opened.error ? opened : await new Promise((resolve) => {
    waiting.set(id, resolve);
    frame.contentWindow.postMessage({ id, source, look: present }, "*");
  });
  clearTimeout(timer);
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

/** Draw `source` into `place`, and again whenever the theme turns; `told(error)` each time, with null for a picture. */
export function drawInto(place, source, alt, told) {
  wanted.set(place, { source, alt, told });
  places.add(new WeakRef(place));
  return show(place);
}

async function show(place) {
  const { source, alt, told } = wanted.get(place);
  const picture = await draw(source);
  if (!picture.error) place.replaceChildren(image(picture, alt));
  told(picture.error ?? null);
}

function turned() {
  for (const held of places) {
    const place = held.deref();
    if (place?.isConnected) show(place);
    else places.delete(held);
  }
}

system.addEventListener("change", turned);
new MutationObserver(turned).observe(document.documentElement, { attributeFilter: ["data-theme"] });

function image({ svg, width, height }, alt) {
  const made = document.createElement("img");
  made.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  made.width = Math.ceil(width);
  made.height = Math.ceil(height);
  made.alt = alt;
  return made;
}
