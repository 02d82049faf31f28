/**
 * Maths in Markdown: `$…$`, `$$…$$`, `\(…\)` and `\[…\]` become marked tokens; KaTeX, loaded when the first one
 * appears, turns them into MathML (its HTML output needs inline styles, which the content security policy forbids).
 */

/**
 * A single dollar opens maths only before a non-space and closes after a non-space and not before a digit, so that
 * "$5 and $10" stays money (the rule of Pandoc's tex_math_dollars).
 */
const INLINE = [
  { open: "$$", match: /^\$\$([^$]+?)\$\$/, display: true },
  { open: "$", match: /^\$(?![\s$])((?:\\.|[^\\$\n])+?)(?<!\s)\$(?!\d)/, display: false },
  { open: "\\(", match: /^\\\(([\s\S]+?)\\\)/, display: false },
  { open: "\\[", match: /^\\\[([\s\S]+?)\\\]/, display: true },
];

const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

/** The marked extension. It writes the TeX into a marked span; `typeset` replaces that after sanitising. */
export const mathsExtension = {
  name: "maths",
  level: "inline",
  start: (source) => {
    const at = source.search(/\$|\\[([]/);
    return at < 0 ? undefined : at;
  },
  tokenizer(source) {
    for (const { match, display } of INLINE) {
      const found = match.exec(source);
      if (found) return { type: "maths", raw: found[0], tex: found[1].trim(), display };
    }
    return undefined;
  },
  renderer: ({ tex, display }) => `<span class="${display ? "maths maths-display" : "maths"}">${escape(tex)}</span>`,
};

let katex = null;

/** KaTeX, fetched once. */
async function load() {
  katex ??= (await import("katex")).default;
  return katex;
}

/** MathML Core has dropped `columnalign`. Its last word holds for all further columns (MathML 3, 3.5.1). */
function alignColumns(drawn) {
  for (const table of drawn.querySelectorAll("mtable[columnalign]")) {
    const sides = table.getAttribute("columnalign").trim().split(/\s+/);
    for (const row of table.children) {
      [...row.children].forEach((cell, column) => cell.classList.add(`column-${sides[column] ?? sides.at(-1)}`));
    }
  }
  return drawn;
}

/** The MathML of a formula as sanitised nodes, or null where KaTeX cannot read it. */
function mathml(tex, display, sanitise) {
  try {
    const options = { output: "mathml", displayMode: display, throwOnError: true, strict: "ignore", trust: false, maxExpand: 200 };
    return alignColumns(sanitise(katex.renderToString(tex, options)));
  } catch {
    return null;
  }
}

function typesetOne(span, sanitise) {
  const tex = span.textContent;
  const drawn = mathml(tex, span.classList.contains("maths-display"), sanitise);
  if (drawn) span.replaceChildren(drawn);
  else span.classList.add("maths-unread");
  span.title = tex;
}

/** Draw every formula under `root`; at once when KaTeX is there, else as soon as it is. */
export function typeset(root, sanitise) {
  const spans = [...root.querySelectorAll(".maths")];
  if (!spans.length) return;
  const draw = () => spans.forEach((span) => typesetOne(span, sanitise));
  if (katex) draw();
  else load().then(draw, () => {});
}
