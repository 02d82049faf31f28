/**
 * Markdown to safe nodes: it is rendered as HTML, then DOMPurify sanitises, always in that order and always both.
 *
 * What a model writes is data: raw HTML is shown as text (but for a few plain marks such as <br> and <sub>), images
 * become links, since fetching one would tell its server who reads what, and links open outside and say nothing of
 * where they came from.
 */

import "dompurify";
import { blockTokens } from "../block-tokens.js";
import { inlineTokens } from "../inline.js";

/** Its minified file, half as large on the wire, is no module: it leaves its name on the window. */
const { DOMPurify } = globalThis;

/** Raw HTML that is let through: marks without attributes that Markdown has no other way to write. */
const PLAIN_TAG = /^<\/?(b|br|del|em|i|ins|kbd|mark|s|strong|sub|sup|u)\s*\/?>$/i;

const LINK_PROTOCOL = /^(https?:|mailto:|tel:|#)/i;

const ALLOWED = {
  ALLOWED_TAGS: [
    "a",
    "b",
    "blockquote",
    "br",
    "code",
    "del",
    "div",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "input",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "s",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "u",
    "ul",
  ],
  ALLOWED_ATTR: ["align", "checked", "class", "disabled", "href", "start", "title", "type"],
  ALLOWED_URI_REGEXP: LINK_PROTOCOL,
  // These hold no addresses; without this the expression above would be asked about them.
  ADD_URI_SAFE_ATTR: ["align", "checked", "class", "disabled", "start", "type"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

const MATHS = {
  USE_PROFILES: { mathMl: true },
  FORBID_ATTR: ["style", "href", "xlink:href", "id", "name", "src"],
  RETURN_DOM_FRAGMENT: true,
};

const escape = (text) =>
  text.replace(/[&<>"']/g, (mark) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[mark]);

/** Inline tokens as HTML. Entities stay what they are. */
const words = (tokens) => tokens.map(inlineHtml).join("");

const withEntities = (text) =>
  text.replace(/&(?!(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z][a-z\d]{1,31});)/gi, "&amp;").replace(/[<>"]/g, escape);

function inlineHtml(token) {
  switch (token.type) {
    case "text":
      return withEntities(token.text);
    case "br":
      return "<br>";
    case "codespan":
      return `<code>${escape(token.text)}</code>`;
    case "link": {
      const title = token.title ? ` title="${withEntities(token.title)}"` : "";
      return `<a href="${withEntities(token.href)}"${title}>${words(token.tokens)}</a>`;
    }
    case "image":
      return `<a class="image-link" href="${withEntities(token.href)}">${escape(token.text || token.href)}</a>`;
    case "html":
      return PLAIN_TAG.test(token.text) ? token.text : escape(token.text);
    case "maths":
      return formula(token);
    case "footnote":
      return `<sup class="footnote-mark">${escape(token.label)}</sup>`;
    case "escape":
      return escape(token.text);
    default:
      return `<${token.type}>${words(token.tokens)}</${token.type}>`;
  }
}

/** A formula as its TeX in a marked span; `typeset` replaces that after sanitising. */
function formula({ tex, display, open }) {
  const kind = open ? "maths-growing" : display ? "maths maths-display" : "maths";
  return `<span class="${kind}">${escape(tex)}</span>`;
}

const blocksHtml = (tokens, tight = false) => tokens.map((token) => blockHtml(token, tight)).join("\n");

function blockHtml(token, tight) {
  switch (token.type) {
    case "paragraph":
      return tight ? words(token.tokens) : `<p>${words(token.tokens)}</p>`;
    case "heading":
      return `<h${token.depth}>${words(token.tokens)}</h${token.depth}>`;
    case "code":
      return `<pre><code class="language-${escape(token.info)}">${escape(token.text)}</code></pre>`;
    case "quote":
      return `<blockquote>\n${blocksHtml(token.tokens)}\n</blockquote>`;
    case "list":
      return list(token);
    case "table":
      return table(token);
    case "maths":
      return formula(token);
    default:
      return "<hr>";
  }
}

function list({ start, items, loose }) {
  const tag = start === null ? "ul" : `ol${start === 1 ? "" : ` start="${start}"`}`;
  const box = (checked) => (checked === null ? "" : `<input type="checkbox" disabled${checked ? " checked" : ""}> `);
  const item = ({ checked, tokens }) => {
    const [first, ...rest] = tokens;
    // The box stands in the first line of the words.
    if (loose && checked !== null && first?.type === "paragraph") {
      return `<li><p>${box(checked)}${words(first.tokens)}</p>${blocksHtml(rest)}</li>`;
    }
    return `<li>${box(checked)}${blocksHtml(tokens, !loose)}</li>`;
  };
  return `<${tag}>\n${items.map(item).join("\n")}\n</${tag.slice(0, 2)}>`;
}

function table({ sides, rows: [header, ...rows] }) {
  const side = (column) => (sides[column] ? ` align="${sides[column]}"` : "");
  const row = (tag) => (cells) =>
    `<tr>${cells.map((cell, column) => `<${tag}${side(column)}>${words(cell)}</${tag}>`).join("")}</tr>`;
  const body = rows.length ? `<tbody>${rows.map(row("td")).join("\n")}</tbody>` : "";
  return `<table><thead>${row("th")(header)}</thead>${body}</table>`;
}

/** What a finished answer is rendered with that defines nothing. */
const FINISHED = { growing: false, tail: false, definition: () => undefined };

const purifier = DOMPurify(window);

purifier.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A") secureLink(node);
  if (node.tagName === "INPUT") {
    if (node.getAttribute("type") !== "checkbox") node.remove();
    else node.setAttribute("disabled", "");
  }
});

function secureLink(link) {
  if (!link.getAttribute("href")) return;
  link.setAttribute("target", "_blank");
  link.setAttribute("rel", "noopener noreferrer");
}

/** HTML from anywhere as nodes that can do nothing but be read. */
export const sanitise = (markup) => purifier.sanitize(markup, ALLOWED);

/** KaTeX's MathML, likewise. */
export const sanitiseMaths = (markup) => purifier.sanitize(markup, MATHS);

const WORDS = "p, h1, h2, h3, h4, h5, h6, td, th, li:not(:has(> p))";
const HOLDERS = "ul, ol, blockquote, table, li:has(> p)";
const LEFT_TO_RIGHT = "pre, code, .maths";

const LETTER = /\p{L}/u;

/** Hebrew to Arabic, their presentation forms, and the right-to-left plane. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

function wordsOf(element) {
  const copy = element.cloneNode(true);
  for (const part of copy.querySelectorAll(LEFT_TO_RIGHT)) part.remove();
  return copy.textContent;
}

/** Give each block its direction. `dir="auto"` skips what has a `dir` of its own: holders are told by their words. */
function direct(root) {
  for (const element of root.querySelectorAll(LEFT_TO_RIGHT)) element.dir = "ltr";
  for (const element of root.querySelectorAll(WORDS)) element.dir = "auto";
  for (const element of root.querySelectorAll(HOLDERS)) {
    if (RIGHT_TO_LEFT.test(wordsOf(element).match(LETTER)?.[0] ?? "")) element.dir = "rtl";
  }
  return root;
}

/**
 * One block of Markdown as a sanitised fragment. Code panels, tables and maths are dressed by the view.
 * @param {string} source
 * @param {import("../inline.js").Context} context
 */
export const render = (source, context = FINISHED) => direct(sanitise(blocksHtml(blockTokens(source, context))));

/**
 * Words of one line likewise: without blocks.
 * @param {string} source
 * @param {import("../inline.js").Context} context
 */
export const renderWords = (source, context = FINISHED) => direct(sanitise(words(inlineTokens(source, context))));
