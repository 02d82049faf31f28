/**
 * Markdown to safe nodes. marked renders, then DOMPurify sanitises, always in that order and always both.
 *
 * What a model writes is data: raw HTML is shown as text (but for a few plain marks such as <br> and <sub>), images
 * become links, since fetching one would tell its server who reads what, and links open outside and say nothing of
 * where they came from.
 */

import "dompurify";
import { Marked } from "marked";
import { mathsExtension } from "./maths.js";

/** Its minified file, half as large on the wire, is no module: it leaves its name on the window. */
const { DOMPurify } = globalThis;

/** Raw HTML that is let through: marks without attributes that Markdown has no other way to write. */
const PLAIN_TAG = /^<\/?(br|sub|sup|kbd|mark|u|s|ins|del)\s*\/?>$/i;

const LINK_PROTOCOL = /^(https?:|mailto:|tel:|#)/i;

const ALLOWED = {
  ALLOWED_TAGS: [
    "a", "b", "blockquote", "br", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "input",
    "ins", "kbd", "li", "mark", "ol", "p", "pre", "s", "span", "strong", "sub", "sup", "table", "tbody", "td", "th",
    "thead", "tr", "u", "ul",
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

const renderer = {
  html: ({ text }) => (PLAIN_TAG.test(text.trim()) ? text : escape(text)),
  image: ({ href, text }) => `<a class="image-link" href="${escape(href)}">${escape(text || href)}</a>`,
  code: ({ text, lang }) => `<pre><code class="language-${escape(lang ?? "")}">${escape(text)}\n</code></pre>`,
};

/** Han, kana, Hangul, and the marks that are set as wide as they. */
const CJK = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303f\uff00-\uffef\u2018-\u201d]/u;

/** Code inside is stepped over whole: stars in it are its own. */
const BOLD = /^\*\*(?![\s*])((?:`[^`\n]*`|[^*`\n])*?(?:`|[^\s*`]))\*\*(?!\*)/;

/**
 * Bold beside text without blanks. CommonMark asks for a blank or a mark on the outer side of a mark, which Chinese
 * never writes: in `**注意：**这` its rule sees no end.
 */
const boldExtension = {
  name: "strong",
  level: "inline",
  tokenizer(source) {
    const found = BOLD.exec(source);
    if (!found) return undefined;
    const [raw, text] = found;
    const next = source.slice(raw.length, raw.length + 2);
    return CJK.test(text.at(0) + text.at(-1) + next) ? { type: "strong", raw, text, tokens: this.lexer.inlineTokens(text) } : undefined;
  },
};

const marked = new Marked({ gfm: true, breaks: true, renderer, extensions: [mathsExtension, boldExtension] });

const purifier = DOMPurify(window);

purifier.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A") dressLink(node);
  if (node.tagName === "INPUT") {
    if (node.getAttribute("type") !== "checkbox") node.remove();
    else node.setAttribute("disabled", "");
  }
});

function dressLink(link) {
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

/** Give each block its direction. `dir="auto"` steps over what has a `dir` of its own: holders are told by their words. */
function direct(root) {
  for (const element of root.querySelectorAll(LEFT_TO_RIGHT)) element.dir = "ltr";
  for (const element of root.querySelectorAll(WORDS)) element.dir = "auto";
  for (const element of root.querySelectorAll(HOLDERS)) {
    if (RIGHT_TO_LEFT.test(wordsOf(element).match(LETTER)?.[0] ?? "")) element.dir = "rtl";
  }
  return root;
}

/** One block of Markdown as a sanitised fragment. Code panels, tables and maths are dressed by the view. */
export const render = (source) => direct(sanitise(marked.parse(source)));
