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
 * `{kind: "definition", label, href, title, source}` is a link reference definition, `{kind: "footnote", label,
 * words, source, raw}` a footnote's text, `words` its label as it was written; `{kind: "details", summary, blocks,
 * tail}` folds blocks of its own.
 * A very long list or table goes on in a further block with `continued: true` (a table repeats its header), lest a
 * tail of any length be rendered again and again.
 */

import { BLOCK_OPEN, closingOf, isProse } from "./formulas.js";
import { labelOf } from "./inline.js";

const FENCE = /^( {0,3})(`{3,}|~{3,})(.*)$/;
const MATH_OPEN = new RegExp(`^ {0,3}(${BLOCK_OPEN.source})`);
const HEADING = /^ {0,3}#{1,6}(\s|$)/;
const ITEM = /^( {0,3})([-*+]|(\d{1,9})([.)]))(\s|$)/;
const TABLE_RULE = /^ {0,3}\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

/** `[label]: address "title"` in one line. The export has the same (chatsite/transfer/render/definitions.py). */
const DEFINITION = new RegExp(
  [
    "^ {0,3}\\[((?:\\\\.|[^\\\\[\\]^])(?:\\\\.|[^\\\\[\\]]){0,998})\\]:[ \\t]*(?:<([^<>]",
    "*)>|([^\\s<]\\S*))(?:[ \\t]+(?:\"([^\"]*)\"|'([^']*)'|\\(([^()]*)\\)))?[ \\t]*$",
  ].join(""),
);

/** What a line that has begun may still become: a definition or a footnote. */
const DEFINITION_OPEN = new RegExp(
  [
    "^ {0,3}\\[(?:[^\\]]{0,60}|[^\\]]*\\]|[^\\]]*\\]:[ \\t]*(?:<[^<>]*>?|\\S*)(?:[ ",
    "\\t]+(?:\"[^\"]*\"?|'[^']*'?|\\([^()]*\\)?)?)?[ \\t]*)$",
  ].join(""),
);

const FOOTNOTE = /^ {0,3}\[\^([^\]\s[]+)\]:[ \t]*(.*)$/;

const DETAILS = /^ {0,3}<details(?:\s+open(?:="[^"]*")?)?\s*>[ \t]*(.*)$/i;
const DETAILS_END = /^(.*?)<\/details\s*>[ \t]*(.*)$/i;
const SUMMARY = /^\s*<summary>(.*?)(<\/summary>[ \t]*(.*))?$/i;
const SUMMARY_END = /^(.*?)<\/summary>[ \t]*(.*)$/i;

/** Folds inside each other; deeper ones are text. */
const MAX_FOLDS = 8;

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
    this.growing = false;
    /** In how many folds it stands. */
    this.depth = 0;
    /** What references may lead to, from folded blocks too. */
    this.definitions = [];
  }

  /** Take more text. `blocks` then holds what is finished. */
  push(text) {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop();
    for (const line of lines) this.line(line);
  }

  /** Nothing more comes: all of the text is in `blocks`. */
  end() {
    const { rest } = this;
    this.rest = "";
    if (rest) this.line(rest, true);
    this.finish();
  }

  /**
   * What is not finished yet, as it would look if the text ended here: usually one block, sometimes two or none.
   * `growing`: more may come, so that a line that may become a mark is none of it. The last block is `partial` where
   * its last line is.
   */
  tail(growing = false, rest = this.rest) {
    if (this.open?.kind === "details") return this.detailsTail(growing, rest);
    const probe = Object.assign(new BlockStream(), {
      open: this.open && { ...this.open },
      growing,
      depth: this.depth,
    });
    if (rest && !(growing && this.mayCloseCode(rest))) probe.line(rest, true);
    if (probe.open?.kind === "details") return [...probe.blocks, ...probe.detailsTail(growing, probe.rest)];
    const fenced = Boolean(probe.open?.fence);
    probe.finish();
    if (growing && probe.blocks.length) Object.assign(probe.blocks.at(-1), { partial: Boolean(rest), fenced });
    return probe.blocks;
  }

  /** The beginning of a closing fence is not shown as code for the moment until it is complete. */
  mayCloseCode(rest) {
    const { open } = this;
    if (open?.kind !== "code") return !open && /^ {0,3}(`{1,2}|~{1,2})$/.test(rest);
    return rest.trim().length < open.fence.length && open.fence.startsWith(rest.trim()) && /^ {0,3}[`~]+$/.test(rest);
  }

  line(line, partial = false) {
    const { open } = this;
    if (open?.list && /^\S/.test(line)) open.fence = null;
    if (open?.kind === "code") this.codeLine(line, partial);
    else if (open?.kind === "math") this.begin(this.mathLine(line, partial), partial);
    else if (open?.kind === "details") this.detailsLine(line);
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

  /** Begin the block of this line, and where a formula ends in it, the block that follows; no line begins none. */
  begin(line, partial) {
    let rest = line;
    while (rest && beginsMaths(rest)) rest = this.beginMaths(rest, partial);
    if (rest) this.beginOther(rest, partial);
  }

  beginMaths(line, partial) {
    const [begun, opening] = MATH_OPEN.exec(line);
    // An environment is a formula with its own marks, the others' are Markdown's.
    const source = opening.startsWith("\\begin") ? opening : "";
    this.open = { kind: "math", source, closed: false, close: closingOf(opening) };
    return this.mathLine(line.slice(begun.length), partial);
  }

  beginOther(line, partial) {
    const fence = FENCE.exec(line);
    if (fence && !(fence[2][0] === "`" && fence[3].includes("`"))) {
      this.open = {
        kind: "code",
        info: fence[3].trim(),
        source: "",
        closed: false,
        fence: fence[2],
        indent: fence[1].length,
      };
      return;
    }
    if (this.beginNote(line, partial) || this.beginDetails(line, partial)) return;
    const item = ITEM.exec(line);
    this.open = { kind: "text", source: "", list: item ? itemType(item) : null, indented: /^( {4}|\t)/.test(line) };
    this.append(line);
    if (HEADING.test(line) && !partial) this.finish();
  }

  /** A definition is one line, a footnote goes on as a paragraph does. */
  beginNote(line, partial) {
    const footnote = FOOTNOTE.exec(line);
    if (footnote) {
      this.open = {
        kind: "footnote",
        label: `^${labelOf(footnote[1])}`,
        words: footnote[1],
        source: `${footnote[2]}\n`,
        raw: `${line}\n`,
      };
      return true;
    }
    const found = DEFINITION.exec(line);
    if (found && !(partial && this.growing)) {
      const [, label, angled, plain, ...titles] = found;
      const href = (angled ?? plain).replace(/\\([!-/:-@[-`{-~])/g, "$1");
      const title = titles.find((one) => one !== undefined) ?? null;
      const block = { kind: "definition", label: labelOf(label), href, title, source: line.trim() };
      this.blocks.push(block);
      this.definitions.push(block);
      return true;
    }
    return Boolean(partial && this.growing && DEFINITION_OPEN.test(line));
  }

  beginDetails(line, partial) {
    if (this.depth > MAX_FOLDS) return false;
    const found = DETAILS.exec(partial && this.growing ? withoutTag(line) : line);
    if (!found) return false;
    const inner = Object.assign(new BlockStream(), { definitions: this.definitions, depth: this.depth + 1 });
    this.open = { kind: "details", summary: null, inner };
    if (partial && this.growing) this.rest = found[1];
    else if (found[1].trim()) this.detailsLine(found[1]);
    return true;
  }

  /** A line inside folded blocks: the summary comes first, and the innermost fold ends first. */
  detailsLine(line) {
    const { open } = this;
    const { inner } = open;
    if (open.gathering) {
      const end = SUMMARY_END.exec(line);
      open.summary += end ? `\n${end[1]}` : `\n${line}`;
      if (!end) return;
      open.gathering = false;
      if (end[2].trim()) this.detailsLine(end[2]);
      return;
    }
    const summary = open.summary === null && !inner.blocks.length && !inner.open && SUMMARY.exec(line);
    if (summary) {
      open.summary = summary[1];
      open.gathering = summary[2] === undefined;
      if (summary[3]?.trim()) this.detailsLine(summary[3]);
      return;
    }
    const end = !inner.isVerbatim() && inner.open?.kind !== "details" && DETAILS_END.exec(line);
    if (!end) {
      inner.line(line);
      return;
    }
    if (end[1].trim()) inner.line(end[1]);
    this.finish();
    if (end[2].trim()) this.line(end[2]);
  }

  /** `summaryGrows`: its end has not come yet. */
  detailsTail(growing, rest) {
    const { open } = this;
    const { inner } = open;
    const { summary, summaryGrows, words } = this.summaryTail(growing, rest);
    const end = !inner.isVerbatim() && inner.open?.kind !== "details" && DETAILS_END.exec(words);
    const tail = inner.tail(growing, end ? end[1] : words);
    return [
      { kind: "details", source: "", summary, summaryGrows: growing && summaryGrows, blocks: inner.blocks, tail },
    ];
  }

  /** The summary so far, and the words of the last line that are none of it. */
  summaryTail(growing, rest) {
    const { gathering, inner, summary } = this.open;
    if (gathering) {
      const end = SUMMARY_END.exec(rest);
      const line = end ? end[1] : withoutTag(rest);
      return { summary: rest ? `${summary}\n${line}` : summary, summaryGrows: !end, words: end?.[2] ?? "" };
    }
    const begins = summary === null && !inner.blocks.length && !inner.open && SUMMARY.exec(withoutTag(rest));
    if (begins) return { summary: begins[1], summaryGrows: begins[2] === undefined, words: begins[3] ?? "" };
    const begun = growing && /^\s*<\/?[a-z]*\s*>?$/i.test(rest);
    return { summary, summaryGrows: false, words: begun ? "" : rest };
  }

  /** Whether Markdown's marks are text here. */
  isVerbatim() {
    return this.open?.kind === "code" || this.open?.kind === "math" || Boolean(this.open?.fence);
  }

  append(line) {
    const { open } = this;
    if (!open.list && !open.header && line.includes("|") && TABLE_RULE.test(line)) {
      open.header = `${open.source.trimEnd().split("\n").at(-1)}\n${line}\n`;
    }
    open.source += `${open.kind === "footnote" ? line.replace(/^( {1,4}|\t)/, "") : line}\n`;
    if (open.raw) open.raw += `${line}\n`;
    open.blank = false;
    const fence = open.list && /^\s*(?:[-*+]\s+|\d{1,9}[.)]\s+)?(`{3,}|~{3,})(.*)$/.exec(line);
    if (fence && !(fence[1][0] === "`" && fence[2].includes("`"))) open.fence = fence[1];
  }

  blankLine() {
    if (!this.open) return;
    this.open.source += "\n";
    if (this.open.raw) this.open.raw += "\n";
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

  /** Take a line of an open formula; returns what follows its end. */
  mathLine(line, partial) {
    const { open } = this;
    const end = line.indexOf(open.close);
    if (end < 0) {
      open.source += partial ? line : `${line}\n`;
      return "";
    }
    open.source += line.slice(0, end) + (open.close.startsWith("\\end") ? open.close : "");
    open.closed = true;
    this.finish();
    return line.slice(end + open.close.length).trimStart();
  }

  /** A fence inside a list item: blank lines in it end nothing, but it ends with the item. */
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
    if (DETAILS.test(line) && this.depth <= MAX_FOLDS) return !open.indented;
    if (open.kind === "footnote" && FOOTNOTE.test(line)) return true;
    const item = ITEM.exec(line);
    if (open.list) return /^(`{3}|~{3}|#{1,6}\s)/.test(line) || beginsMaths(line, /^\S/) || this.splitsList(item);
    if (FENCE.test(line) || beginsMaths(line) || HEADING.test(line)) return !open.indented;
    return Boolean(item) && (item[3] === undefined || item[3] === "1") && !open.header && !TABLE_RULE.test(line);
  }

  continuesAfterBlank(line) {
    const { open } = this;
    if (open.indented || open.kind === "footnote") return /^( {4}|\t)/.test(line);
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
    open.inner?.finish();
    const block = finished(open);
    this.blocks.push(block);
    if (block.kind === "footnote") this.definitions.push(block);
    this.open = null;
  }
}

function finished(open) {
  const { kind, info, source, closed, continued, label, words, raw, summary, inner } = open;
  if (kind === "details") return { kind, source: "", summary: summary ?? "", blocks: inner.blocks, tail: [] };
  if (kind === "footnote") return { kind, label, words, source: source.trim(), raw: raw.trimEnd() };
  const block = kind === "text" ? { kind, source: source.trimEnd() } : { kind, source, closed };
  if (kind === "code") block.info = info;
  if (continued) block.continued = true;
  return block;
}

function beginsMaths(line, also = /^/) {
  const found = also.test(line) && MATH_OPEN.exec(line);
  return Boolean(found) && !isProse(line.slice(found[0].length));
}

/** A line without the tag that has only begun at its end. */
const withoutTag = (line) => line.replace(/<[^<>]*$/, "");

/** Whether a line ends a fence: the same mark, at least as long, and nothing after it. */
function closes(line, fence, indent) {
  const text = line.trim();
  return text.length >= fence.length && text === fence[0].repeat(text.length) && line.search(/\S/) <= indent;
}

/** All blocks of a finished text. */
export function blocksOf(text) {
  const stream = new BlockStream();
  stream.push(text);
  stream.end();
  return stream.blocks;
}
