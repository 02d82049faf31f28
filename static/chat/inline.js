/**
 * The inline level of Markdown: the text of one paragraph, heading, cell or list item as marked's tokens. Pure.
 *
 * CommonMark's algorithm (spec 0.31, "Appendix: A parsing strategy") in one pass, with what answers have beside it:
 * formulas, bare addresses that end at Chinese punctuation, footnotes, and references into the whole answer.
 *
 * While an answer grows, nothing is shown that its end would hide again. `growing`: the answer is not over, so a
 * reference without a definition may get one, and shows its words alone. `tail`: the text itself is not over, so marks
 * that are open are closed at its end, and a construct that has only begun shows what will be seen of it for certain.
 */

import { characterBefore, delimiterRun, isWordCharacter, pairDelimiters } from "./emphasis.js";
import { formulaAt } from "./formulas.js";

/**
 * @typedef {object} Context
 * @property {boolean} growing
 * @property {boolean} tail
 * @property {(label: string) => {href: string, title?: string} | undefined} definition asked for every reference;
 *   of a footnote the label begins with `^`
 */

const PLAIN = /(?:(?!https?:\/\/|www\.)[^\\`$*_~[\]!<&\n])+/iy;
const ESCAPED = /[!-/:-@[-`{-~]/;
const TAG =
  /<(?:\/?[a-z][a-z0-9-]*(?:\s+[a-z_:][\w.:-]*(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>`]+))?)*\s*\/?>|!--(?:>|->))/iy;
const COMMENT = "<!--";
const AUTOLINK = /<([a-z][a-z0-9+.-]{1,31}:[^\s<>]*)>/iy;
const MAIL_LINK = /<([\w.!#$%&'*+/=?^`{|}~-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+)>/iy;
const MAIL = /(?<![\w.+-])[\w.+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?![\w-])/gi;
/** Up to a blank, a mark that no address has unescaped, or Chinese punctuation. */
const PATH = new RegExp(
  [
    '(?:(?!\\*\\*|~~)[^\\s<>`"[\\]\\\\\\u2014\\u2018-\\u201d\\u2026\\u3000-\\u303f\\uff0',
    "1-\\uff0f\\uff1a-\\uff20\\uff3b-\\uff40\\uff5b-\\uff65])+",
  ].join(""),
);
const ADDRESS = new RegExp(`(?:https?://|www\\.)(?:[\\w.@:%-]+(?:(?=[/?#])${PATH.source})?|${PATH.source})`, "iy");
const HOST = /(?:https?:\/\/|www\.)[\p{L}\p{N}]/iuy;
const FOOTNOTE = /\[\^([^\]\s[]+)\]/y;
const LABEL = /\[((?:\\.|[^\\[\]]){1,999})\]/y;
const DESTINATION = new RegExp(
  [
    "\\(\\s*(?:<((?:\\\\.|[^\\\\<>\\n])*)>|((?:\\\\.|[^\\\\\\s<()]|\\((?:\\\\.|[^\\\\\\s()])*",
    "\\))*))(\\s+(?:\"(?:\\\\.|[^\\\\\"])*\"|'(?:\\\\.|[^\\\\'])*'|\\((?:\\\\.|[^\\\\()])*\\))",
    ")?\\s*\\)",
  ].join(""),
  "y",
);
/** What may still become a destination. */
const DESTINATION_OPEN = /\(\s*(?:<[^<>\n]*>?|[^\s<]*)(?:\s+(?:["'(][^\n]*)?)?$/y;
const LABEL_OPEN = /\[[^[\]]*$/y;
const ENTITY_OPEN = /&(?:#\d{0,7}|#x[\da-f]{0,6}|[a-z][a-z\d]{0,31})?$/iy;
const TAG_OPEN = /<(?:\/?[a-z]{0,9}\s*\/?|[a-z][a-z0-9+.-]*:[^\s<>]*|[\w.+-]+(?:@[\w.-]*)?)$/iy;
const ENVIRONMENT_OPEN = /\\(?:b|be|beg|begi|begin|begin\{[a-z]*\*?)?$/y;

/** Marks that would not be seen if the code that has begun turns out to be none. */
const UNSURE = /(?<![a-z\d])_|_(?![a-z\d])|[`!*~^[\]|&]/gi;
/** Beside these, no mark is sure to be. */
const CONSTRUCTS = /[$\\<]|\]\(/;

const sureOf = (code) => code.replace(CONSTRUCTS.test(code) ? /[!-/:-@[-`{-~]/g : UNSURE, "");

/** A label as references compare it. */
export const labelOf = (text) => text.trim().replace(/\s+/g, " ").toLowerCase().toUpperCase();

const unescape = (text) => text.replace(/\\([!-/:-@[-`{-~])/g, "$1");

const text = (raw) => ({ type: "text", raw, text: raw });

const linkOf = (href, words, bare) => ({
  type: "link",
  raw: words,
  href,
  title: null,
  text: words,
  tokens: [text(words)],
  bare,
});

function match(pattern, source, at) {
  pattern.lastIndex = at;
  return pattern.exec(source);
}

class Inline {
  /** @param {string} source @param {Context} context */
  constructor(source, context) {
    this.source = source;
    this.context = context;
    this.at = 0;
    /** @type {any[]} */
    this.nodes = [];
    /** @type {{node: number, at: number, image: boolean, active: boolean}[]} */
    this.brackets = [];
    /** Lengths of backtick runs that end nowhere after a place. */
    this.unclosed = new Set();
    /** Ends of formulas that are nowhere after a place. */
    this.missing = new Set();
    /** @type {number | undefined} where the last comment ends, once that was wanted */
    this.lastComment = undefined;
  }

  parse() {
    while (this.at < this.source.length) this.step();
    // An image or link that has only begun shows no bracket.
    if (this.context.tail) for (const { node, active } of this.brackets) if (active) this.nodes[node] = text("");
    return finished(this.nodes, this.context.tail);
  }

  push(node, end) {
    this.nodes.push(node);
    this.at = end;
  }

  /** Whether a pattern that reaches to the end stands here, in a text that goes on: its marks may yet be hidden. */
  opens(pattern) {
    return this.context.tail && match(pattern, this.source, this.at);
  }

  step() {
    const { source, at } = this;
    const plain = match(PLAIN, source, at);
    if (plain) return this.push(text(plain[0]), at + plain[0].length);
    switch (source[at]) {
      case "\n":
        return this.lineBreak();
      case "\\":
        return this.backslash();
      case "`":
        return this.code();
      case "$":
        return this.formula() || this.push(text("$"), at + 1);
      case "*":
      case "_":
      case "~":
        return this.delimiters();
      case "!":
        return source[at + 1] === "[" ? this.bracket(true) : this.exclamation();
      case "[":
        return this.footnote() || this.bracket(false);
      case "]":
        return this.closingBracket();
      case "<":
        return this.angle();
      case "&":
        return this.opens(ENTITY_OPEN) ? this.drop() : this.push(text("&"), at + 1);
      default:
        return this.address() || this.push(text(source[at]), at + 1);
    }
  }

  /** Nothing of the rest is shown yet. */
  drop() {
    this.at = this.source.length;
  }

  exclamation() {
    if (this.context.tail && this.at === this.source.length - 1) return this.drop();
    return this.push(text("!"), this.at + 1);
  }

  lineBreak() {
    const last = this.nodes.at(-1);
    if (last?.type === "text" && !last.run) last.text = last.raw = last.text.replace(/ +$/, "");
    this.push({ type: "br", raw: "\n" }, this.at + 1);
    while (/[ \t]/.test(this.source[this.at])) this.at += 1;
  }

  backslash() {
    const { source, at } = this;
    if (this.formula()) return undefined;
    if (source[at + 1] === "\n") {
      this.at += 1;
      return this.lineBreak();
    }
    if (ESCAPED.test(source[at + 1] ?? ""))
      return this.push({ type: "escape", raw: "", text: source[at + 1] }, at + 2);
    return this.opens(ENVIRONMENT_OPEN) ? this.drop() : this.push(text("\\"), at + 1);
  }

  formula() {
    const found = formulaAt(this.source, this.at, this.context.tail, this.missing);
    if (!found) return false;
    this.push({ type: "maths", ...found }, this.at + found.raw.length);
    return true;
  }

  delimiters() {
    const node = delimiterRun(this.source, this.at);
    const end = this.at + node.raw.length;
    // A single tilde at the very end may be the first of two.
    if (this.context.tail && end === this.source.length && !node.run) return this.drop();
    return this.push(node, end);
  }

  code() {
    const { source, at } = this;
    const run = /^`+/.exec(source.slice(at, at + 1000))[0];
    const from = at + run.length;
    const end = this.unclosed.has(run.length) ? -1 : closingRun(source, from, run.length);
    if (end >= 0 && !(this.context.tail && end + run.length === source.length)) {
      return this.push(codespan(source.slice(from, end)), end + run.length);
    }
    this.unclosed.add(run.length);
    if (!this.context.tail) return this.push(text(run), from);
    const begun = sureOf(source.slice(from, end < 0 ? source.length : end).replace(/`+$/, ""));
    if (begun.trim()) this.nodes.push(codespan(begun));
    return this.drop();
  }

  angle() {
    const { source, at } = this;
    const address = match(AUTOLINK, source, at);
    if (address) return this.autolink(linkOf(address[1], address[1], false), at + address[0].length);
    const mail = match(MAIL_LINK, source, at);
    if (mail) return this.autolink(linkOf(`mailto:${mail[1]}`, mail[1], false), at + mail[0].length);
    const tag = match(TAG, source, at) ?? this.comment();
    if (tag) return this.push({ type: "html", raw: tag[0], text: tag[0] }, at + tag[0].length);
    if (!this.opens(TAG_OPEN)) return this.push(text("<"), at + 1);
    const begun = source.slice(at + 1);
    if (begun.includes(":")) this.nodes.push(text(begun));
    return this.drop();
  }

  comment() {
    if (!this.source.startsWith(COMMENT, this.at)) return null;
    this.lastComment ??= this.source.lastIndexOf("-->");
    if (this.lastComment < this.at) return null;
    return [this.source.slice(this.at, this.source.indexOf("-->", this.at) + 3)];
  }

  autolink(link, end) {
    this.push(link, end);
    for (const one of this.brackets) if (!one.image) one.active = false;
  }

  /** An address without angle brackets. */
  address() {
    const { source, at } = this;
    if (!match(HOST, source, at) || isWordCharacter(characterBefore(source, at))) return false;
    const words = trimmed(match(ADDRESS, source, at)[0]);
    const schemeless = /^www\./i.test(words);
    if (schemeless && !/^www\.[^/?#]*\.[^\d./?#][^./?#]*(?:[/?#]|$)/i.test(words)) return false;
    this.push(linkOf(schemeless ? `http://${words}` : words, words, true), at + words.length);
    return true;
  }

  footnote() {
    const { context, source, at } = this;
    if (source[at + 1] !== "^") return false;
    const found = match(FOOTNOTE, source, at);
    if (!found) {
      if (!this.opens(LABEL_OPEN)) return false;
      this.drop();
      return true;
    }
    if (!context.definition(`^${labelOf(found[1])}`) && !context.growing) return false;
    this.push({ type: "footnote", raw: found[0], label: found[1] }, at + found[0].length);
    return true;
  }

  bracket(image) {
    const length = image ? 2 : 1;
    this.brackets.push({ node: this.nodes.length, at: this.at + length, image, active: true });
    this.push(text(image ? "![" : "["), this.at + length);
  }

  closingBracket() {
    const opening = this.brackets.pop();
    if (!opening?.active) return this.push(text("]"), this.at + 1);
    return this.link(opening) || this.reference(opening) || this.push(text("]"), this.at + 1);
  }

  link(opening) {
    const { source, context } = this;
    const found = match(DESTINATION, source, this.at + 1);
    if (found) {
      const title = found[3] ? unescape(found[3].trim().slice(1, -1)) : null;
      return this.pushLink(opening, unescape(found[1] ?? found[2] ?? ""), title, this.at + 1 + found[0].length);
    }
    if (!context.tail || !match(DESTINATION_OPEN, source, this.at + 1)) return false;
    return this.hide(opening);
  }

  reference(opening) {
    const { source, context } = this;
    const after = this.at + 1;
    const second = match(LABEL, source, after);
    const collapsed = source.startsWith("[]", after);
    const words = source.slice(opening.at, this.at);
    const plain = words.length < 1000 && !/(?<!\\)[[\]]/.test(words) && Boolean(words.trim());
    if (!second && !plain) return context.tail && after === source.length && this.hide(opening);
    const label = labelOf(second ? second[1] : words);
    if (label.startsWith("^")) return false;
    const found = context.definition(label);
    const end = second ? after + second[0].length : collapsed ? after + 2 : after;
    if (found) return this.pushLink(opening, found.href, found.title ?? null, end);
    if (!context.growing) return false;
    // Until the answer is over a definition may come: no bracket is shown.
    this.nodes[opening.node] = text("");
    if (context.tail && match(LABEL_OPEN, source, after)) this.drop();
    else this.at = second && source[end] === "(" ? after : end;
    return true;
  }

  /** What ends the text may become a link: no bracket is shown. */
  hide(opening) {
    this.nodes[opening.node] = text("");
    this.drop();
    return true;
  }

  pushLink(opening, href, title, end) {
    const { image, node, at } = opening;
    const words = this.source.slice(at, this.at);
    const inner = this.nodes.splice(node).slice(1);
    const tokens = finished(
      inner.flatMap((one) => (one.type === "link" && one.bare ? one.tokens : [one])),
      false,
    );
    this.push({ type: image ? "image" : "link", raw: words, href, title, text: plainText(tokens), tokens }, end);
    if (!image) for (const one of this.brackets) if (!one.image) one.active = false;
    return true;
  }
}

/** Where the run of exactly so many backticks begins that ends the code; -1 where none does. */
function closingRun(source, from, length) {
  const runs = /`+/g;
  runs.lastIndex = from;
  for (let run = runs.exec(source); run; run = runs.exec(source)) if (run[0].length === length) return run.index;
  return -1;
}

function codespan(source) {
  const words = source.replace(/\n/g, " ");
  const padded = words.startsWith(" ") && words.endsWith(" ") && words.trim();
  return { type: "codespan", raw: words, text: padded ? words.slice(1, -1) : words };
}

/** An address without the punctuation of the sentence around it (GFM, 6.9). */
function trimmed(address) {
  for (let words = address; ;) {
    const shorter = words.replace(/(?:[?!.,:;*_~'$|]+|&[a-z\d]+;)$/i, "");
    const unbalanced = shorter.endsWith(")") && shorter.split(")").length > shorter.split("(").length;
    const next = unbalanced ? shorter.slice(0, -1) : shorter;
    if (next === words) return words;
    words = next;
  }
}

function plainText(tokens) {
  return tokens.map((one) => (one.tokens ? plainText(one.tokens) : (one.text ?? one.tex ?? ""))).join("");
}

/** Tokens with their emphasis, texts joined, and addresses of mail as links. */
function finished(nodes, tail) {
  const paired = pairDelimiters(nodes, tail);
  return joined(paired).flatMap((one) => (one.type === "text" ? withMail(one) : [one]));
}

function joined(nodes) {
  /** @type {any[]} */
  const made = [];
  for (const node of nodes) {
    const last = made.at(-1);
    if (node.tokens && node.type !== "link") made.push({ ...node, tokens: joined(node.tokens) });
    else if (node.type === "text" && last?.type === "text") made[made.length - 1] = text(last.text + node.text);
    else if (node.type !== "text" || node.text) made.push(node);
  }
  return made;
}

function withMail(node) {
  const made = [];
  let from = 0;
  for (const { 0: mail, index } of node.text.matchAll(MAIL)) {
    made.push(text(node.text.slice(from, index)), linkOf(`mailto:${mail}`, mail, true));
    from = index + mail.length;
  }
  return made.length ? [...made, text(node.text.slice(from))] : [node];
}

/** @param {string} source @param {Context} context */
export const inlineTokens = (source, context) => new Inline(source, context).parse();
