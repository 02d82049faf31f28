/**
 * Which way text runs. Whoever holds words says `dir="auto"`: the browser looks for the first letter that has a
 * direction, and steps over code and formulas, which always run from left to right. But it also steps over everything
 * inside that has a `dir` of its own, so what only holds such parts (a list, a quote, a table) is told by its text.
 */

const WORDS = "p, h1, h2, h3, h4, h5, h6, td, th, li:not(:has(> p))";
const HOLDERS = "ul, ol, blockquote, table, li:has(> p)";
const LEFT_TO_RIGHT = "pre, code, .maths";

const LETTER = /\p{L}/u;

/** The blocks of Hebrew, Arabic, Syriac, Thaana, N'Ko and their presentation forms, and the right-to-left plane. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** What stands in an element, without code and formulas. */
function wordsOf(element) {
  const copy = element.cloneNode(true);
  for (const part of copy.querySelectorAll(LEFT_TO_RIGHT)) part.remove();
  return copy.textContent;
}

/** Give each block of rendered Markdown its direction. Returns the same nodes. */
export function direct(root) {
  for (const element of root.querySelectorAll(LEFT_TO_RIGHT)) element.dir = "ltr";
  for (const element of root.querySelectorAll(WORDS)) element.dir = "auto";
  for (const element of root.querySelectorAll(HOLDERS)) {
    if (RIGHT_TO_LEFT.test(wordsOf(element).match(LETTER)?.[0] ?? "")) element.dir = "rtl";
  }
  return root;
}
