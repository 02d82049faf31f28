// Around every page of the console: the sidebar as a sheet, the search with its hits, menus that close.

const root = document.documentElement;
const narrow = matchMedia("(max-width: 760px)"); // as in chat/view/first-paint.js
const TYPED_MS = 150;

const sidebar = document.getElementById("sidebar");
const menuButton = document.getElementById("open-sidebar");
const field = /** @type {HTMLInputElement} */ (document.getElementById("lookup-text"));
const hits = document.getElementById("lookup-hits");

function openSheet(isOpen) {
  root.classList.toggle("sidebar-closed", !isOpen);
  menuButton?.setAttribute("aria-expanded", String(isOpen));
}

function closeSheet() {
  if (!narrow.matches || root.classList.contains("sidebar-closed")) return;
  openSheet(false);
  menuButton?.focus();
}

menuButton?.addEventListener("click", () => {
  openSheet(true);
  document.getElementById("close-sidebar").focus();
});
document.getElementById("close-sidebar")?.addEventListener("click", closeSheet);
document.getElementById("sidebar-backdrop")?.addEventListener("click", closeSheet);
// Out of the sheet by Tab: what lies under it is not seen.
sidebar?.addEventListener("focusout", ({ relatedTarget }) => {
  if (narrow.matches && relatedTarget && !sidebar.contains(/** @type {Node} */ (relatedTarget))) openSheet(false);
});

/** Typing somewhere: keys are letters there. */
const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable], .select2-container");

let asked = "";
let timer = 0;

function showHits(isShown) {
  hits.hidden = !isShown;
}

async function look() {
  const text = field.value.trim();
  asked = text;
  if (!text) return showHits(false);
  const answer = await fetch(`${field.form.action}?part=1&q=${encodeURIComponent(text)}`).catch(() => null);
  if (!answer?.ok || asked !== text) return undefined;
  hits.innerHTML = await answer.text();
  return showHits(document.activeElement === field || hits.contains(document.activeElement));
}

field?.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(look, TYPED_MS);
});
field?.addEventListener("focus", () => field.value.trim() && hits.childElementCount && showHits(true));

/** Arrows walk from the field through the hits and back. */
function walk(event) {
  if (hits.hidden || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
  const stops = [field, ...hits.querySelectorAll("a")];
  const next = stops.indexOf(/** @type {any} */ (document.activeElement)) + (event.key === "ArrowDown" ? 1 : -1);
  event.preventDefault();
  /** @type {HTMLElement} */ (stops.at(next % stops.length)).focus();
}

field?.form.addEventListener("keydown", walk);
field?.form.addEventListener("focusout", ({ relatedTarget }) => {
  if (!field.form.contains(/** @type {Node} */ (relatedTarget))) showHits(false);
});

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.filter[open]")) {
    if (!menu.contains(except)) menu.removeAttribute("open");
  }
}

document.addEventListener("click", ({ target }) => closeMenus(/** @type {Node} */ (target)));
document.addEventListener("keydown", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.key === "Escape") {
    const menu = /** @type {HTMLElement} */ (document.activeElement?.closest("details.filter[open]"));
    if (menu) menu.querySelector("summary").focus();
    else if (hits && !hits.hidden) field.focus();
    else closeSheet();
    closeMenus(null);
    if (hits) showHits(false);
  }
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !field || isTyping(target)) return;
  event.preventDefault();
  if (narrow.matches) openSheet(true);
  field.select();
  field.focus();
});
