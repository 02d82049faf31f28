/**
 * Formulas on the page: KaTeX, loaded when the first one appears, turns them into MathML (its HTML output needs inline
 * styles, which the content security policy forbids).
 */

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

/** Of a rule's or a space's side: the width of a column. */
const MAX_EM = 40;

function bounded(length) {
  return Math.max(-MAX_EM, Math.min(MAX_EM, Number.parseFloat(length) || 0));
}

/** KaTeX bounds what is positive alone, and gives a rule (\rule) no height in its line. */
function boundLengths(drawn) {
  for (const space of drawn.querySelectorAll("mspace[width]")) {
    space.setAttribute("width", `${bounded(space.getAttribute("width"))}em`);
  }
  for (const padded of drawn.querySelectorAll("mpadded:has(> mspace[mathbackground])")) {
    const shift = bounded(padded.getAttribute("voffset"));
    const height = bounded(padded.firstElementChild.getAttribute("height"));
    padded.setAttribute("voffset", `${shift}em`);
    padded.setAttribute("height", `${Math.max(0, height + shift)}em`);
    padded.setAttribute("depth", `${Math.max(0, -shift)}em`);
  }
  return drawn;
}

/** The MathML of a formula as sanitised nodes, or null where KaTeX cannot read it. */
function mathml(tex, display, sanitise) {
  try {
    const options = {
      output: "mathml",
      displayMode: display,
      throwOnError: true,
      strict: "ignore",
      trust: false,
      maxExpand: 200,
      maxSize: MAX_EM,
    };
    return boundLengths(alignColumns(sanitise(katex.renderToString(tex, options))));
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

/** Draw these formulas; at once when KaTeX is there, else as soon as it is. */
export function typeset(spans, sanitise) {
  const draw = () => spans.forEach((span) => typesetOne(span, sanitise));
  if (katex) draw();
  else load().then(draw, () => {});
}
