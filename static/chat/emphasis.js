/**
 * Emphasis and strikethrough by CommonMark's delimiter algorithm (spec 0.31, "Phase 2: inline structure"). Pure.
 *
 * Two things differ. Text without blanks between words (Chinese, Japanese, Korean) counts as a border, so that
 * `**注意：**这` is bold (github.com/tats-u/markdown-cjk-friendly). And while an answer grows, what is open at its end
 * is closed there.
 *
 * Nodes are marked's inline tokens; a run of delimiters is a text token with a `run`.
 */

/** Han, kana, Hangul, and the marks that are set as wide. The export has the same (transfer/render/inline.py). */
export const CJK = new RegExp(
  [
    "[\\u1100-\\u11ff\\u2e80-\\u4dbf\\u4e00-\\u9fff\\ua960-\\ua97f\\uac00-\\ud7ff\\uf9",
    "00-\\ufaff\\ufe30-\\ufe4f\\uff00-\\uffef\\u{20000}-\\u{3ffff}\\u2014\\u2018-\\u2",
    "01d\\u2026]",
  ].join(""),
  "u",
);

const BLANK = /^\s?$/u;
const PUNCTUATION = /[\p{P}\p{S}]/u;
const ALPHANUMERIC = /[\p{L}\p{N}]/u;

/** The character that ends before this place, or begins at it; empty at the text's borders. */
export function characterBefore(source, at) {
  const low = source.charCodeAt(at - 1);
  return source.slice(low >= 0xdc00 && low < 0xe000 ? Math.max(0, at - 2) : Math.max(0, at - 1), at);
}

export const characterAt = (source, at) => (at < source.length ? String.fromCodePoint(source.codePointAt(at)) : "");

/** A letter or digit of a script that sets blanks between words. */
export const isWordCharacter = (character) => ALPHANUMERIC.test(character) && !CJK.test(character);

/** What a run of delimiters between these characters may do. */
function flanking(mark, before, after) {
  const punctuated = (character) => PUNCTUATION.test(character) && !CJK.test(character);
  const border = (character) => BLANK.test(character) || PUNCTUATION.test(character) || CJK.test(character);
  const left = !BLANK.test(after) && (!punctuated(after) || border(before));
  const right = !BLANK.test(before) && (!punctuated(before) || border(after));
  if (mark !== "_") return { canOpen: left, canClose: right };
  return { canOpen: left && (!right || border(before)), canClose: right && (!left || border(after)) };
}

/** The run of delimiters at this place as a node; `~` is one as a pair alone. */
export function delimiterRun(source, at) {
  const mark = source[at];
  let end = at + 1;
  while (source[end] === mark) end += 1;
  const text = source.slice(at, end);
  const node = { type: "text", raw: text, text };
  if (mark === "~" && text.length !== 2) return node;
  const before = characterBefore(source, at);
  const after = characterAt(source, end);
  const inWord = isWordCharacter(before) && isWordCharacter(after);
  const run = { mark, length: text.length, count: text.length, inWord, ends: end === source.length };
  return { ...node, run: { ...run, ...flanking(mark, before, after) } };
}

/** CommonMark's rule of three. */
function mismatched(opener, closer) {
  if (opener.mark === "~" || !(opener.canClose || closer.canOpen)) return false;
  return (opener.length + closer.length) % 3 === 0 && (opener.length % 3 !== 0 || closer.length % 3 !== 0);
}

const depthOf = (tokens) => tokens.reduce((most, { depth = 0 }) => Math.max(most, depth), 0);

const wrapped = (mark, size, tokens) => ({
  type: mark === "~" ? "del" : size === 2 ? "strong" : "em",
  raw: "",
  text: "",
  tokens,
  depth: depthOf(tokens) + 1,
});

const shorten = (node, size) => {
  node.run.count -= size;
  node.text = node.raw = node.run.mark.repeat(node.run.count);
};

/** Deeper emphasis is text: nobody sees it, and each level costs a call. */
const MAX_DEPTH = 50;

/** Nodes with their delimiters paired. `growing`: more may come, so that what is open is closed at the end. */
export function pairDelimiters(nodes, growing) {
  /** @type {any[]} */
  const done = [];
  /** Places in `done` of runs that may open. */
  const openers = [];
  /** Where the search for an opener of this kind has ended in vain. */
  const bottoms = new Map();
  // A run at the very end may still become anything; what it would close is closed there all the same.
  const certain = growing && nodes.at(-1)?.run?.ends ? nodes.slice(0, -1) : nodes;
  for (const node of certain) {
    const { run } = node;
    if (run?.canClose) closeWith(node, done, openers, bottoms);
    if (run && !run.count) continue;
    if (run?.canOpen) openers.push(done.length);
    done.push(node);
  }
  if (growing) closeOpen(done, openers);
  for (const node of done) delete node.run;
  return done;
}

function closeWith(node, done, openers, bottoms) {
  const { run } = node;
  const kind = `${run.mark}${run.canOpen}${run.length % 3}`;
  while (run.count) {
    const bottom = bottoms.get(kind) ?? 0;
    let at = openers.length - 1;
    const fits = ({ run: opener }) => opener.mark === run.mark && !mismatched(opener, run);
    while (at >= 0 && openers[at] >= bottom && !fits(done[openers[at]])) at -= 1;
    if (at < 0 || openers[at] < bottom) {
      bottoms.set(kind, done.length);
      return;
    }
    const opener = done[openers[at]];
    if (depthOf(done.slice(openers[at] + 1)) > MAX_DEPTH) return;
    const size = opener.run.count > 1 && run.count > 1 ? 2 : 1;
    const inner = done.splice(openers[at] + 1);
    openers.length = at + 1;
    for (const [one, place] of bottoms) bottoms.set(one, Math.min(place, done.length));
    shorten(opener, size);
    shorten(node, size);
    if (!opener.run.count) {
      done.pop();
      openers.pop();
    }
    done.push(wrapped(run.mark, size, inner));
  }
}

/** Close what is open where the text ends for now. */
function closeOpen(done, openers) {
  for (const [level, at] of openers.reverse().entries()) {
    const { run } = done[at];
    if (level > MAX_DEPTH) {
      done[at] = { type: "text", raw: "", text: "" };
      continue;
    }
    const inner = done.splice(at + 1);
    done.pop();
    const shown = inner.some((one) => one.type !== "text" || one.text.trim());
    if (run.inWord || !shown) done.push(...inner);
    else if (run.count === 2) done.push(wrapped(run.mark, 2, inner));
    else done.push(wrapped(run.mark, 1, run.count > 2 ? [wrapped(run.mark, 2, inner)] : inner));
  }
}
