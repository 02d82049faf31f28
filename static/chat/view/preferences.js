/** Choices of this browser: theme, language and sidebar. */

import { signal } from "@preact/signals";
import { loadLanguage } from "../i18n.js";
import { notify } from "../notices.js";

const THEME = "chatsite.theme";
const SIDEBAR = "chatsite.sidebar";
const ANNOUNCEMENT = "chatsite.announcement";

/** Django's own cookie for the language, so that the sign-in pages follow the same choice. */
const COOKIE = "django_language";
const YEAR_S = 31_536_000;

/** Narrower than this the sidebar lies over the page; the same width stands in chat.css. */
export const narrow = matchMedia("(max-width: 760px)");

function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // The choice then lasts as long as the page.
  }
}

/** system, light or dark. */
export const theme = signal(read(THEME) ?? "system");

export function chooseTheme(name) {
  theme.value = name;
  write(THEME, name);
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
}

/** The announcement that was put away here last. */
export const announcementSeen = signal(read(ANNOUNCEMENT));

export function putAnnouncementAway(id) {
  announcementSeen.value = String(id);
  write(ANNOUNCEMENT, id);
}

/** Speak a language from now on; `remember` keeps the choice for this browser. Rejects when offline. */
export async function useLanguage(code, remember = false) {
  const known = await loadLanguage(code);
  document.documentElement.lang = known;
  if (remember) document.cookie = `${COOKIE}=${known};path=/;max-age=${YEAR_S};samesite=lax`;
}

/** The page speaks it from now on; without a connection it may not have the words, and says so. */
export const chooseLanguage = (code) => useLanguage(code, true).catch(() => notify({ key: "offline_short" }));

export const sidebarOpen = signal(!narrow.matches && read(SIDEBAR) !== "closed");

export function openSidebar(isOpen) {
  sidebarOpen.value = isOpen;
  document.documentElement.classList.toggle("sidebar-closed", !isOpen);
  if (!narrow.matches) write(SIDEBAR, isOpen ? "open" : "closed");
}

narrow.addEventListener("change", () => openSidebar(!narrow.matches));
