/**
 * Draws diagrams for the page around this frame. The frame has an origin of its own and may fetch nothing, so that
 * whatever a diagram's text makes Mermaid do, it can reach neither the page nor a server; back goes an SVG, as text.
 *
 * in: {id, source, theme: {dark, font, …colours}}   out: {ready} | {id, svg, width, height} | {id, error}
 */

/** Longer texts and more lines than people read; drawing them would hold the browser. */
const MOST_CHARS = 20_000;
const MOST_EDGES = 300;

const post = (message) => parent.postMessage(message, "*");

/**
 * Mermaid numbers its colours: parts of a pie, a mind map or a git graph take the page's few in turn, their labels
 * stay ink. A mind map's root takes the first branch's; without a label of ours it would be black in the dark.
 */
function numbered({ ink, soft, parts }) {
  const made = {};
  for (let at = 0; at < 12; at += 1) {
    const part = parts[at % parts.length];
    Object.assign(made, {
      [`cScale${at}`]: part,
      [`cScaleLabel${at}`]: ink,
      [`cScaleInv${at}`]: soft,
      [`cScalePeer${at}`]: soft,
      [`pie${at + 1}`]: part,
      [`git${at}`]: part,
      [`gitInv${at}`]: soft,
      [`gitBranchLabel${at}`]: ink,
      [`fillType${at}`]: part,
    });
  }
  return made;
}

function prepare(theme) {
  const { dark, font, paper, panel, ink, soft, line, accent, parts } = theme;
  mermaid.initialize({
    startOnLoad: false,
    securityLevel: "strict",
    suppressErrorRendering: true,
    // Labels as SVG text: the picture is shown as an image, where HTML inside SVG is not drawn everywhere.
    htmlLabels: false,
    flowchart: { htmlLabels: false, useMaxWidth: false },
    maxTextSize: MOST_CHARS,
    maxEdges: MOST_EDGES,
    fontFamily: font,
    theme: "base",
    themeVariables: {
      darkMode: dark,
      fontFamily: font,
      fontSize: "14px",
      background: paper,
      primaryColor: panel,
      primaryTextColor: ink,
      primaryBorderColor: soft,
      secondaryColor: paper,
      tertiaryColor: paper,
      lineColor: soft,
      textColor: ink,
      noteBkgColor: panel,
      noteTextColor: ink,
      noteBorderColor: line,
      activationBkgColor: accent,
      pieTitleTextColor: ink,
      pieSectionTextColor: ink,
      pieLegendTextColor: ink,
      pieStrokeColor: line,
      pieOpacity: 1,
      dropShadow: "none",
      useGradient: false,
      nodeBorder: soft,
      labelTextColor: ink,
      branchLabelColor: ink,
      scaleLabelColor: ink,
      commitLabelColor: ink,
      commitLabelBackground: paper,
      tagLabelColor: ink,
      tagLabelBackground: panel,
      tagLabelBorder: line,
      edgeLabelBackground: paper,
      clusterBkg: panel,
      clusterBorder: line,
      taskTextColor: ink,
      taskTextLightColor: ink,
      taskTextDarkColor: ink,
      taskTextOutsideColor: ink,
      taskTextClickableColor: ink,
      taskBkgColor: accent,
      taskBorderColor: soft,
      activeTaskBkgColor: parts[1],
      activeTaskBorderColor: soft,
      doneTaskBkgColor: panel,
      doneTaskBorderColor: line,
      critBkgColor: parts[2],
      critBorderColor: soft,
      sectionBkgColor: panel,
      sectionBkgColor2: panel,
      altSectionBkgColor: paper,
      gridColor: line,
      todayLineColor: soft,
      ...numbered(theme),
    },
  });
}

/** An image needs its size in figures; Mermaid says "100%" and leaves the size to the box around it. */
function sized(text) {
  const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  const [, , width, height] = (svg.getAttribute("viewBox") ?? "").split(/[\s,]+/).map(Number);
  if (!(width > 0 && height > 0)) throw new Error("The diagram is empty.");
  svg.setAttribute("width", String(width));
  svg.setAttribute("height", String(height));
  svg.style.maxWidth = "";
  return { svg: new XMLSerializer().serializeToString(svg), width, height };
}

async function draw({ id, source, theme }) {
  try {
    prepare(theme);
    const { svg } = await mermaid.render(`diagram-${id}`, source);
    post({ id, ...sized(svg) });
  } catch (error) {
    post({ id, error: String(error?.message ?? error).slice(0, 500) });
  }
}

let last = Promise.resolve();

addEventListener("message", ({ source, data }) => {
  if (source === parent) last = last.then(() => draw(data));
});

post({ ready: true });
