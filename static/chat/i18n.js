/**
 * The page's words in two languages. A dictionary maps keys to text with {names} or to a function of the values;
 * every key exists in every dictionary (a test compares them).
 */

import { signal } from "@preact/signals";
import { en } from "./lang/en.js";
import { zhHans } from "./lang/zh-hans.js";

export const LANGUAGES = { en: { words: en, name: "English", tag: "en" }, "zh-hans": { words: zhHans, name: "简体中文", tag: "zh-Hans" } };

/** Django's own cookie for the language, so that the sign-in pages follow the same choice. */
const COOKIE = "django_language";
const YEAR_S = 31_536_000;

export const language = signal("en");

/** The words for a key in the present language; a key that nobody translated is an error in the tests. */
export function t(key, values = {}) {
  const text = LANGUAGES[language.value].words[key];
  if (typeof text === "function") return text(values);
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** The BCP 47 tag for Intl. */
export const locale = () => LANGUAGES[language.value].tag;

/** Use a language from now on; `remember` keeps the choice for this browser. */
export function useLanguage(code, remember = false) {
  language.value = code in LANGUAGES ? code : "en";
  document.documentElement.lang = locale();
  if (remember) document.cookie = `${COOKIE}=${language.value};path=/;max-age=${YEAR_S};samesite=lax`;
}
