/**
 * The end of Markdown that is still being written, without what may become a mark of a block: a line that has only
 * begun, the first line of what may be a table. Marks inside a line are inline.js's. Pure; only the tail of a
 * streaming answer passes through here, never a finished text.
 */

/** What stands before a line's own words: quotes, bullets, numbers. */
const CONTAINERS = /^\s*(?:(?:>|[-*+](?=\s)|\d{1,9}[.)](?=\s))\s*)*/;

/** The words of a line that may become a mark: nothing but marks so far, a number, a task's box, a fence, a tag. */
const UNCERTAIN = new RegExp(
  [
    "^(?:[-*+_=~`#>|:$\\\\. \\t]*|\\d{1,9}[.)]?|\\[[^\\]\\n]{0,60}\\]?|(?:`{3,}|~{3",
    ",})[^`\\n]*|<(?:\\/?[a-z][^<>]*)?|\\\\(?:b|be|beg|begi|begin|begin\\{[a-z]*",
    "\\*?\\}?))$",
  ].join(""),
  "i",
);

const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

const wordsOf = (line) => line.replace(CONTAINERS, "");

/**
 * The text to show; empty where there is nothing to show yet.
 * @param {string} source
 * @param {{partial?: boolean, fenced?: boolean}} block whether its last line has not ended, and is code
 */
export function certainMarkdown(source, { partial = true, fenced = false } = {}) {
  const lines = source.split("\n");
  if (partial && UNCERTAIN.test(wordsOf(lines.at(-1)))) lines.pop();
  if (!fenced) hideHeader(lines);
  return lines.join("\n").trimEnd();
}

/** A line with cells may be the first of a table as long as the next is not there. */
function hideHeader(lines) {
  const line = lines.at(-1);
  if (!line?.includes("|") || inTable(lines)) return;
  lines.pop();
  if (!wordsOf(line).startsWith("|")) lines.push(line.replace(/\\?\|/g, " "));
}

function inTable(lines) {
  for (let row = lines.length - 1; row > 0 && lines[row].trim(); row -= 1) {
    if (lines[row].includes("|") && TABLE_RULE.test(wordsOf(lines[row]))) return true;
  }
  return false;
}
