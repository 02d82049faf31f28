/**
 * The end of Markdown that is still being written, as it should look meanwhile: an emphasis or code span that has
 * begun is closed, a link whose address is still coming shows its words, a table waits for its second line. Pure;
 * only the tail of a streaming answer passes through here, never a finished text.
 */

const TABLE_BEGINS = /^\s*\|[^\n]*(\n[\s|:-]*)?$/;
const LINK_BEGINS = /!?\[([^\]\n]*)(\]\([^)\s]*|\])?$/;
const MARK_BEGINS = /(^|[\s(])(\*{1,3}|_{1,3}|~~|`+|\$\$?|\\)$/;

const count = (text, pattern) => text.match(pattern)?.length ?? 0;

/** The text to show; empty where there is nothing to show yet. */
export function mend(source) {
  if (TABLE_BEGINS.test(source)) return "";
  const at = source.lastIndexOf("\n\n") + 1;
  const before = source.slice(0, at);
  let last = source.slice(at).replace(MARK_BEGINS, "$1");
  if (count(last, /`/g) % 2) return `${before}${last}\``;
  last = last.replace(LINK_BEGINS, "$1");
  const plain = last.replace(/`[^`]*`/g, "");
  if (count(plain, /\*\*/g) % 2) return `${before}${last.replace(/\*$/, "").trimEnd()}**`;
  if (count(plain.replace(/\*\*/g, ""), /(?<![\s*])\*|\*(?![\s*])/g) % 2) return `${before}${last.trimEnd()}*`;
  return before + last;
}
