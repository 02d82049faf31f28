/**
 * Markdown that is still growing, cut into finished blocks and a tail. Pure.
 *
 * The idea: a line scanner decides, from what came before and the next non-blank line alone, where a top-level block
 * ends. A finished block is never looked at again, so its rendering is kept; only the tail is rendered anew while
 * text streams in. Since no decision depends on how the text was cut into deltas, the blocks of a streamed answer
 * are the blocks of the same answer loaded whole.
 *
 * A block is `{kind: "text", source}` for Markdown, `{kind: "code", info, source, closed}` for a fenced code block at
 * top level (its body only grows, so it can be appended to) or `{kind: "math", source, closed}` for display maths.
 * A very long list or table goes on in a further block with `continued: true` (a table repeats its header), lest a
 * tail of any length be rendered again and again.
 */

const FENCE = /^( {0,3})(`{3,}|~{3,})(.*)$/;
const MATH_OPEN = /^ {0,3}(\$\$|\\\[)/;
const MATH_CLOSE = { "$$": "$$", "\\[": "\\]" };
const HEADING = /^ {0,3}#{1,6}(\s|$)/;
const ITEM = /^( {0,3})([-*+]|(\d{1,9})([.)]))(\s|$)/;
const TABLE_RULE = /^ {0,3}\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

/** A part of a long list: about 25 items, some milliseconds of rendering on a slow phone. */
const LIST_PART_CHARS = 2_048;

/** A part of a long table: its header is repeated, as in print, so the parts are longer. */
const TABLE_PART_CHARS = 8_192;

/** What makes two items belong to one list: the same bullet, or numbers with the same mark. */
const itemType = (match) => match[4] ?? match[2];

export class BlockStream {
  constructor() {
    this.blocks = [];
    this.open = null;
    this.rest = "";
  }

  /** Take more text. `blocks` then holds what is finished. */
  push(text) {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop();
    for (const line of lines) this.line(line);
  }

  /** What is not finished yet, as it would look if the text ended here: usually one block, sometimes two or none. */
  tail() {
    const probe = Object.assign(new BlockStream(), { open: this.open && { ...this.open } });
    if (this.rest && !this.mayCloseCode()) probe.line(this.rest, true);
    probe.finish();
    return probe.blocks;
  }

  /** The beginning of a closing fence is not shown as code for the moment until it is complete. */
  mayCloseCode() {
    const { open, rest } = this;
    if (open?.kind !== "code") return !open && /^ {0,3}(`{1,2}|~{1,2})$/.test(rest);
    return rest.trim().length < open.fence.length && open.fence.startsWith(rest.trim()) && /^ {0,3}[`~]+$/.test(rest);
  }

  line(line, partial = false) {
    const { open } = this;
    if (open?.kind === "code") this.codeLine(line, partial);
    else if (open?.kind === "math") this.mathLine(line, partial);
    else if (open?.fence) this.innerFenceLine(line);
    else if (!line.trim()) this.blankLine();
    else if (this.endsBefore(line)) {
      const continued = this.splitsList(ITEM.exec(line));
      this.finish();
      this.begin(line, partial);
      if (continued) this.open.continued = true;
    } else if (open) {
      if (open.header && open.source.length > TABLE_PART_CHARS && line.includes("|")) this.splitTable();
      this.append(line);
    } else this.begin(line, partial);
  }

  begin(line, partial) {
    const fence = FENCE.exec(line);
    if (fence && !(fence[2][0] === "`" && fence[3].includes("`"))) {
      this.open = { kind: "code", info: fence[3].trim(), source: "", closed: false, fence: fence[2], indent: fence[1].length };
      return;
    }
    const maths = MATH_OPEN.exec(line);
    if (maths) {
      this.open = { kind: "math", source: "", closed: false, close: MATH_CLOSE[maths[1]] };
      this.mathLine(line.slice(line.indexOf(maths[1]) + maths[1].length), partial);
      return;
    }
    const item = ITEM.exec(line);
    this.open = { kind: "text", source: "", list: item ? itemType(item) : null, indented: /^( {4}|\t)/.test(line) };
    this.append(line);
    if (HEADING.test(line) && !partial) this.finish();
  }

  append(line) {
    const { open } = this;
    if (!open.list && !open.header && line.includes("|") && TABLE_RULE.test(line)) {
      open.header = `${open.source.trimEnd().split("\n").at(-1)}\n${line}\n`;
    }
    open.source += `${line}\n`;
    open.blank = false;
    const fence = open.list && /^\s*(?:[-*+]\s+|\d{1,9}[.)]\s+)?(`{3,}|~{3,})(.*)$/.exec(line);
    if (fence && !(fence[1][0] === "`" && fence[2].includes("`"))) open.fence = fence[1];
  }

  blankLine() {
    if (!this.open) return;
    this.open.source += "\n";
    this.open.blank = true;
  }

  codeLine(line, partial) {
    const { open } = this;
    if (closes(line, open.fence, 3)) {
      open.closed = true;
      this.finish();
      return;
    }
    const body = open.indent ? line.replace(new RegExp(`^ {0,${open.indent}}`), "") : line;
    open.source += partial ? body : `${body}\n`;
  }

  mathLine(line, partial) {
    const { open } = this;
    const end = line.indexOf(open.close);
    if (end < 0) {
      open.source += partial ? line : `${line}\n`;
      return;
    }
    open.source += line.slice(0, end);
    open.closed = true;
    const after = line.slice(end + open.close.length);
    this.finish();
    if (after.trim()) this.begin(after.trimStart(), partial);
  }

  /** A fence inside a list item: blank lines in it end nothing. */
  innerFenceLine(line) {
    const { open } = this;
    if (closes(line, open.fence, Infinity)) open.fence = null;
    open.source += `${line}\n`;
  }

  /** Whether the open block is over and this line, which is not blank, belongs to a new one. */
  endsBefore(line) {
    const { open } = this;
    if (!open) return false;
    if (open.blank) return !this.continuesAfterBlank(line);
    const item = ITEM.exec(line);
    if (open.list) return /^(`{3}|~{3}|#{1,6}\s|\$\$|\\\[)/.test(line) || this.splitsList(item);
    if (FENCE.test(line) || MATH_OPEN.test(line) || HEADING.test(line)) return !open.indented;
    return Boolean(item) && (item[3] === undefined || item[3] === "1") && !open.header && !TABLE_RULE.test(line);
  }

  continuesAfterBlank(line) {
    const { open } = this;
    if (open.indented) return /^( {4}|\t)/.test(line);
    if (!open.list) return false;
    const item = ITEM.exec(line);
    if (item && item[1].length < 2) return itemType(item) === open.list && !this.splitsList(item);
    return /^( {2}|\t)/.test(line);
  }

  splitsList(item) {
    const { open } = this;
    return Boolean(item) && !item[1] && itemType(item) === open.list && open.source.length > LIST_PART_CHARS;
  }

  /** A long table goes on in a new block that repeats its header. */
  splitTable() {
    const { header } = this.open;
    this.finish();
    this.open = { kind: "text", source: header, header, continued: true };
  }

  finish() {
    const { open } = this;
    if (!open) return;
    const { kind, info, source, closed, continued } = open;
    const block = kind === "text" ? { kind, source: source.trimEnd() } : { kind, source, closed };
    if (kind === "code") block.info = info;
    if (continued) block.continued = true;
    this.blocks.push(block);
    this.open = null;
  }
}

/** Whether a line ends a fence: the same mark, at least as long, and nothing after it. */
function closes(line, fence, indent) {
  const text = line.trim();
  return text.length >= fence.length && text === fence[0].repeat(text.length) && line.search(/\S/) <= indent;
}

/** All blocks of a finished text. */
export function blocksOf(text) {
  const stream = new BlockStream();
  stream.push(text);
  return [...stream.blocks, ...stream.tail()];
}
