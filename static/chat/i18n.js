/**
 * The page's words, in the one language that is read. A dictionary maps keys to text with {names} or to a function of
 * the values; every key exists in every dictionary (a test compares them).
 */

import { computed, signal } from "@preact/signals";

export const LANGUAGES = {
  en: {
    load: () => import("./lang/en/words.js"),
    loadMore: () => import("./lang/en/lazy/dialogs.js"),
    name: "English",
    tag: "en-GB",
  },
  "zh-hans": {
    load: () => import("./lang/zh-hans/words.js"),
    loadMore: () => import("./lang/zh-hans/lazy/dialogs.js"),
    name: "简体中文",
    tag: "zh-Hans",
  },
};

const present = signal({ code: "en", words: {} });

export const language = computed(() => present.value.code);

/** The words for a key in the present language; a key that nobody translated is an error in the tests. */
export function t(key, values = {}) {
  const text = present.value.words[key];
  if (typeof text === "function") return text(values);
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** The BCP 47 tag for Intl: with the shapes of dates that the server's pages have (chatsite/locale). */
export const locale = () => LANGUAGES[language.value].tag;

/** Whether a dialog was opened, whose words no first visit has to fetch. */
let moreWanted = false;

/** Have the words of the dialogs too, in every language from now on. Nothing shown has to be drawn again for them. */
export async function needMoreWords() {
  moreWanted = true;
  const { code, words } = present.peek();
  const more = await LANGUAGES[code].loadMore();
  Object.assign(words, more.words);
}

/** Fetch a language and speak it from then on; rejects when offline. Gives its code: English where it is unknown. */
export async function loadLanguage(code) {
  const known = code in LANGUAGES ? code : "en";
  const [first, more] = await Promise.all([LANGUAGES[known].load(), moreWanted ? LANGUAGES[known].loadMore() : null]);
  present.value = { code: known, words: { ...first.words, ...more?.words } };
  return known;
}
