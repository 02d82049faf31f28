/**
 * Where a formula begins and ends in Markdown: `$…$`, `$$…$$`, `\(…\)`, `\[…\]` and LaTeX's environments. Pure.
 *
 * A dollar is more often money. Beside a letter or digit on its outer side it is text (`5$`, `US$`, `$5 or $6`), and
 * so
 * it is where prose stands between two of them. Chinese sets no blanks: its characters are no hindrance.
 * The export has the same rules (chatsite/transfer/render/formulas.py).
 */

import { characterAt, characterBefore, isWordCharacter } from "./emphasis.js";

/** Environments that are formulas by themselves. */
const NAMES =
  "equation|align|alignat|gather|multline|eqnarray|split|aligned|alignedat|gathered|" +
  "d?array|[pbvBV]?matrix|smallmatrix|[dr]?cases|drcases|CD";

/** The beginning of a formula that may have lines of its own. */
export const BLOCK_OPEN = new RegExp(`\\$\\$|\\\\\\[|\\\\begin\\{(?:${NAMES})\\*?\\}`);

const ENVIRONMENT = new RegExp(`\\\\begin\\{((?:${NAMES})\\*?)\\}`, "y");
const DOLLARS = /\$((?:\\.|[^\\$\n])+)\$/y;

/** An amount followed by a word, two words, or Chinese with its punctuation: no formula begins like this. */
const PROSE = new RegExp(
  "^(?:[\\d.,]+(?:[-–~][\\d.,]+)?\\S{0,2}[ ]+\\p{L}{2,}[\\s.,;:!?]|[\\d.,]+[ ]*[\\u4e00-\\u9fff]" +
    "|[^\\\\{}$]*?(?<![\\p{L}\\\\])\\p{L}{2,} +\\p{L}{2,}[\\s.,;:!?]|[^\\\\{}$]*[，。；：！？、])",
  "u",
);

export const isProse = (tex) => PROSE.test(tex);

/** What ends the formula that `opening` begins. */
export const closingOf = (opening) =>
  opening === "$$" ? "$$" : opening === "\\[" ? "\\]" : opening.replace("\\begin", "\\end");

const found = (source, at, end, tex, display) => ({ raw: source.slice(at, end), tex: tex.trim(), display });

/**
 * The formula at this place of an inline text: `{raw, tex, display}`, with `open: true` where it has only begun and
 * the text `growing`; null where none is. `missing` remembers, over places from left to right, what ends nowhere.
 */
export function formulaAt(source, at, growing, missing = new Set()) {
  if (source[at] === "$")
    return source[at + 1] === "$" ? twoDollars(source, at, growing) : oneDollar(source, at, growing);
  if (source.startsWith("\\(", at)) return between(source, at, at + 2, "\\)", false, growing, missing);
  if (source.startsWith("\\[", at)) return between(source, at, at + 2, "\\]", true, growing, missing);
  ENVIRONMENT.lastIndex = at;
  const begun = ENVIRONMENT.exec(source);
  if (!begun) return null;
  const ended = between(source, at, at + begun[0].length, `\\end{${begun[1]}}`, true, growing, missing);
  return ended && { ...ended, tex: ended.raw };
}

function between(source, at, from, closing, display, growing, missing) {
  const end = missing.has(closing) ? -1 : source.indexOf(closing, from);
  if (end < 0) missing.add(closing);
  if (end < 0)
    return growing ? { ...found(source, at, source.length, source.slice(from), display), open: true } : null;
  if (!source.slice(from, end).trim()) return null;
  return found(source, at, end + closing.length, source.slice(from, end), display);
}

function twoDollars(source, at, growing) {
  const tex = /^[^$]*/.exec(source.slice(at + 2))[0];
  if (isProse(tex)) return null;
  const end = at + 2 + tex.length;
  if (source.startsWith("$$", end)) return tex.trim() ? found(source, at, end + 2, tex, true) : null;
  const begun = growing && (end === source.length || end === source.length - 1);
  return begun ? { ...found(source, at, source.length, tex, true), open: true } : null;
}

function oneDollar(source, at, growing) {
  const first = source[at + 1];
  // It may be the first of two.
  if (first === undefined) return growing ? { ...found(source, at, at + 1, "", false), open: true } : null;
  if (isWordCharacter(characterBefore(source, at))) return null;
  if (/\s/.test(first)) return null;
  DOLLARS.lastIndex = at;
  const closed = DOLLARS.exec(source);
  const tex = closed?.[1] ?? source.slice(at + 1);
  if (isProse(tex)) return null;
  if (!closed) {
    const begun = growing && !tex.includes("\n") && !/(?<!\\)\$/.test(tex);
    return begun ? { ...found(source, at, source.length, tex, false), open: true } : null;
  }
  const end = at + closed[0].length;
  if (/\s$/.test(tex) || isWordCharacter(characterAt(source, end))) return null;
  const made = found(source, at, end, tex, false);
  return growing && end === source.length ? { ...made, open: true } : made;
}
