/**
 * The block level of Markdown: headings, lists, quotes, tables, code and paragraphs as a tree of tokens. Pure.
 *
 * CommonMark 0.31 with GFM's tables and task lists, and formulas with lines of their own. Raw HTML is text. Containers
 * are taken apart line by line: what stands in a quote or an item is a text of its own.
 */

import { BLOCK_OPEN, formulaAt } from "./formulas.js";
import { inlineTokens } from "./inline.js";

const BLANK = /^\s*$/;
const INDENTED = /^(?: {4}| {0,3}\t)/;
export const FENCE = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)$/;
export const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/;
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const UNDERLINE = /^ {0,3}(=+|-+)[ \t]*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|(\d{1,9})([.)]))(?=[ \t]|$)([ \t]*)/;
const TASK = /^\[([ xX])\][ \t]+(?=\S)/;
const TABLE_RULE = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const FORMULA = new RegExp(`^ {0,3}(?=${BLOCK_OPEN.source})`);

/** Deeper quotes and lists are text: nobody reads them, and each level costs a call. */
const MAX_DEPTH = 60;

class Blocks {
  /** @param {import("./inline.js").Context} context of the text's last line */
  constructor(context) {
    this.context = context;
    this.depth = 0;
  }

  /** These lines taken apart; `last`: the text ends with them. */
  parse(lines, last, isItem = false) {
    const parser = new Container(this, lines, last, isItem);
    this.depth += 1;
    while (parser.at < lines.length) parser.block();
    this.depth -= 1;
    return parser;
  }

  inline(source, last) {
    return inlineTokens(source, { ...this.context, tail: this.context.tail && last });
  }
}

class Container {
  constructor(blocks, lines, last, isItem) {
    this.blocks = blocks;
    this.lines = lines;
    this.last = last;
    this.isItem = isItem;
    /** Of a task whether it is done, null of any other item. */
    this.checked = null;
    this.at = 0;
    this.tokens = [];
  }

  /** Whether the text ends before this line, blank lines aside. */
  isLast(end) {
    return this.last && this.lines.slice(end).every((line) => BLANK.test(line));
  }

  push(token, end) {
    this.tokens.push(token);
    this.at = end;
    return true;
  }

  block() {
    const line = this.lines[this.at];
    if (BLANK.test(line)) {
      this.at += 1;
      return true;
    }
    return (
      this.indentedCode(line) ||
      this.fence(line) ||
      this.heading(line) ||
      this.rule(line) ||
      this.formula(line) ||
      this.quote(line) ||
      this.list(line) ||
      this.table(line) ||
      this.paragraph()
    );
  }

  indentedCode(line) {
    if (!INDENTED.test(line)) return false;
    let end = this.at + 1;
    while (end < this.lines.length && (INDENTED.test(this.lines[end]) || BLANK.test(this.lines[end]))) end += 1;
    const text = this.lines.slice(this.at, end).map((one) => outdented(one, 4));
    return this.push({ type: "code", info: "", text: `${text.join("\n").trimEnd()}\n` }, end);
  }

  fence(line) {
    const found = FENCE.exec(line);
    if (!found) return false;
    const [, indent, mark, info] = found;
    const closes = new RegExp(`^ {0,3}${mark[0]}{${mark.length},}[ \\t]*$`);
    let end = this.at + 1;
    while (end < this.lines.length && !closes.test(this.lines[end])) end += 1;
    const text = this.lines.slice(this.at + 1, end).map((one) => outdented(one, indent.length));
    return this.push({ type: "code", info: info.trim(), text: text.map((one) => `${one}\n`).join("") }, end + 1);
  }

  heading(line) {
    const found = HEADING.exec(line);
    if (!found) return false;
    const words = (found[2] ?? "").replace(/^#+$/, "").trim();
    const tokens = this.blocks.inline(words, this.isLast(this.at + 1));
    return this.push({ type: "heading", depth: found[1].length, tokens }, this.at + 1);
  }

  rule(line) {
    return RULE.test(line) && this.push({ type: "rule" }, this.at + 1);
  }

  /** A formula that begins its line; what follows it goes on as a block of its own. */
  formula(line) {
    const begun = FORMULA.exec(line);
    if (!begun) return false;
    const source = this.lines.slice(this.at).join("\n").trimEnd();
    const found = formulaAt(source, begun[0].length, this.blocks.context.tail && this.last);
    if (!found) return false;
    const used = source.slice(0, begun[0].length + found.raw.length).split("\n");
    const end = this.at + used.length - 1;
    const after = this.lines[end].slice(used.at(-1).length);
    this.lines[end] = after.trimStart();
    return this.push({ type: "maths", ...found }, after.trim() ? end : end + 1);
  }

  quote(line) {
    if (!QUOTE.test(line) || this.blocks.depth > MAX_DEPTH) return false;
    const inner = [];
    let fence = null;
    let end = this.at;
    for (; end < this.lines.length; end += 1) {
      const next = this.lines[end];
      if (QUOTE.test(next)) inner.push(next.replace(QUOTE, ""));
      else if (!fence && isLazy(next, inner.at(-1))) inner.push(next);
      else break;
      fence = fenceAfter(fence, inner.at(-1));
    }
    return this.push({ type: "quote", tokens: this.blocks.parse(inner, this.isLast(end)).tokens }, end);
  }

  list(line) {
    const first = ITEM.exec(line);
    if (!first || RULE.test(line) || this.blocks.depth > MAX_DEPTH) return false;
    const list = { type: "list", start: first[3] === undefined ? null : Number(first[3]), loose: false, items: [] };
    const kind = first[4] ?? first[2];
    let end = this.at;
    for (let item = first; item && (item[4] ?? item[2]) === kind;) {
      const taken = this.item(item, end);
      list.items.push(taken);
      let next = taken.end;
      while (next < this.lines.length && BLANK.test(this.lines[next])) next += 1;
      end = taken.end;
      item = next < this.lines.length && !RULE.test(this.lines[next]) ? ITEM.exec(this.lines[next]) : null;
      if (item && (item[4] ?? item[2]) === kind) {
        if (next > taken.end) list.loose = true;
        end = next;
      }
    }
    for (const item of list.items) {
      if (hasBlankBetween(item.lines)) list.loose = true;
      const parsed = this.blocks.parse(item.lines, this.isLast(item.end), true);
      item.tokens = parsed.tokens;
      item.checked = parsed.checked;
    }
    return this.push(list, end);
  }

  /**
   * The lines of one item without their indent, and where they end.
   * @param {string[]} found the match of its first line
   */
  item([marker, , bullet, , , space], begin) {
    const rest = this.lines[begin].slice(marker.length);
    // Five blanks and more after the marker are one, and indented code.
    const wide = space.replace(/\t/g, "    ").length > 4 || !rest;
    const indent = wide ? marker.length - space.length + 1 : marker.length;
    const content = wide ? this.lines[begin].slice(indent) : rest;
    const lines = [content];
    let fence = fenceAfter(null, content);
    let end = begin + 1;
    for (; end < this.lines.length; end += 1) {
      const line = this.lines[end];
      if (BLANK.test(line)) {
        if (lines.length === 1 && !content.trim()) break;
        lines.push("");
      } else if (indentOf(line) >= indent) lines.push(outdented(line, indent));
      else if (!fence && isLazy(line, lines.at(-1))) lines.push(line.trimStart());
      else break;
      fence = fenceAfter(fence, lines.at(-1));
    }
    while (lines.length > 1 && BLANK.test(lines.at(-1))) {
      lines.pop();
      end -= 1;
    }
    return { bullet, lines, end, checked: null, tokens: [] };
  }

  table(line) {
    const rule = this.lines[this.at + 1];
    if (!isTable(line, rule)) return false;
    const sides = cellsOf(rule).map((cell) =>
      /:$/.test(cell) ? (/^:/.test(cell) ? "center" : "right") : /^:/.test(cell) ? "left" : null,
    );
    let end = this.at + 2;
    while (end < this.lines.length && !BLANK.test(this.lines[end]) && !beginsBlock(this.lines[end])) end += 1;
    const rows = [line, ...this.lines.slice(this.at + 2, end)].map((row, index, all) => {
      const cells = cellsOf(row);
      const last = index === all.length - 1 && this.isLast(end);
      return sides.map((_, column) =>
        this.blocks.inline(cells[column] ?? "", last && column === cells.length - 1 && !/\|\s*$/.test(row)),
      );
    });
    return this.push({ type: "table", sides, rows }, end);
  }

  paragraph() {
    const { lines } = this;
    const task = this.isItem && this.at === 0 && TASK.exec(lines[0]);
    if (task) {
      this.checked = task[1] !== " ";
      lines[0] = lines[0].slice(task[0].length);
    }
    let end = this.at + 1;
    for (; end < lines.length; end += 1) {
      const line = lines[end];
      if (BLANK.test(line) || isTable(line, lines[end + 1])) break;
      const underline = UNDERLINE.exec(line);
      if (underline) {
        const tokens = this.blocks.inline(joined(lines.slice(this.at, end)), false);
        return this.push({ type: "heading", depth: underline[1][0] === "=" ? 1 : 2, tokens }, end + 1);
      }
      if (interrupts(line, lines.slice(end))) break;
    }
    const tokens = this.blocks.inline(joined(lines.slice(this.at, end)), this.isLast(end));
    return this.push({ type: "paragraph", tokens }, end);
  }
}

const joined = (lines) =>
  lines
    .map((line) => line.trimStart())
    .join("\n")
    .trimEnd();

/** A line without its first blanks, so many columns at most; a tab reaches to the next multiple of four. */
function outdented(line, columns) {
  let at = 0;
  let column = 0;
  while (column < columns && (line[at] === " " || line[at] === "\t")) {
    column = line[at] === "\t" ? column + 4 - (column % 4) : column + 1;
    at += 1;
  }
  return " ".repeat(Math.max(0, column - columns)) + line.slice(at);
}

function indentOf(line) {
  let column = 0;
  for (const character of line) {
    if (character === "\t") column += 4 - (column % 4);
    else if (character === " ") column += 1;
    else return column;
  }
  return column;
}

/** Whether a line begins a block although a paragraph stands before it. */
function beginsBlock(line) {
  if (FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line)) return true;
  return FORMULA.test(line) || canInterrupt(ITEM.exec(line), line);
}

/** An empty item, or a number other than one, is text of the paragraph before it. */
const canInterrupt = (item, line) =>
  Boolean(item) && (item[3] === undefined || Number(item[3]) === 1) && !BLANK.test(line.slice(item[0].length));

function interrupts(line, rest) {
  if (!beginsBlock(line)) return false;
  const formula = FORMULA.exec(line);
  return !formula || Boolean(formulaAt(rest.join("\n"), formula[0].length, false));
}

/** Whether a line without the marks of its container goes on in the paragraph that the one before it ends with. */
const isLazy = (line, before) =>
  !BLANK.test(line) && !beginsBlock(line) && !ITEM.test(line) && !BLANK.test(before) && endsInParagraph(before);

/** The code's fence that is open after a line, whatever containers it stands in. */
function fenceAfter(fence, line) {
  const found = FENCE.exec(line.replace(/^(?:\s*(?:>|[-*+]\s|\d{1,9}[.)]\s))*\s*/, ""));
  if (!fence) return found?.[2] ?? null;
  const closes = found && found[2][0] === fence[0] && found[2].length >= fence.length && !found[3].trim();
  return closes ? null : fence;
}

function endsInParagraph(before) {
  const line = before.replace(/^(?: {0,3}(?:>|[-*+](?=\s)|\d{1,9}[.)](?=\s)) ?)*/, "");
  return !(BLANK.test(line) || HEADING.test(line) || RULE.test(line) || FENCE.test(line) || INDENTED.test(line));
}

/** Whether blank lines part the blocks of an item. */
function hasBlankBetween(lines) {
  let fence = null;
  let nested = false;
  for (const [at, line] of lines.entries()) {
    const found = FENCE.exec(line);
    if (!fence && found) fence = found[2];
    else if (fence && found?.[2].startsWith(fence) && !found[3].trim()) fence = null;
    if (ITEM.test(line)) nested = true;
    else if (line.trim() && indentOf(line) < 2) nested = false;
    // A blank line inside an inner list is that list's.
    const next = lines[at + 1] ?? "";
    const inner = nested && (indentOf(next) >= 2 || ITEM.test(next));
    if (!line.trim() && at > 0 && !fence && next.trim() && !inner) return true;
  }
  return false;
}

function isTable(line, rule) {
  if (rule === undefined || !line.includes("|") || !TABLE_RULE.test(rule)) return false;
  return (
    !INDENTED.test(line) && cellsOf(line).length === cellsOf(rule).length && (rule.includes("|") || rule.includes(":"))
  );
}

/** The cells of a row; an escaped bar is a bar. */
function cellsOf(row) {
  const inner = row
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|"));
}

/** @param {string} source @param {import("./inline.js").Context} context */
export const blockTokens = (source, context) =>
  new Blocks(context).parse(source.replace(/\r\n?/g, "\n").split("\n"), true).tokens;
