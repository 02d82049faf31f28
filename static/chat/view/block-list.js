/**
 * Blocks of Markdown in a row of elements. What is finished is drawn once, and again only when a reference in it finds
 * its definition; the tail is drawn anew each time.
 */

import { certainMarkdown } from "../close-markdown.js";
import { t } from "../i18n.js";
import { codePanel, finishedCode } from "./code.js";
import { element } from "./elements.js";
import { render, renderWords, sanitiseMaths } from "./markdown.js";

export class BlockList {
  /** @param {HTMLElement} root @param {import("../references.js").References} references */
  constructor(root, references) {
    this.root = root;
    this.references = references;
    this.shown = [];
    this.frozen = 0;
  }

  /** Draw what is finished; false where `until` came first. */
  drawFinished(blocks, until) {
    for (; this.frozen < blocks.length; this.frozen += 1) {
      if (!this.place(this.frozen, blocks[this.frozen], "final", until)) return false;
      if (performance.now() > until) return false;
    }
    return true;
  }

  drawTail(blocks) {
    const tail = withoutUncertain(blocks);
    tail.forEach((block, index) =>
      this.place(this.frozen + index, block, index < tail.length - 1 ? "before" : "last"),
    );
    for (const extra of this.shown.splice(this.frozen + tail.length)) {
      this.references.forget(extra);
      extra.node.remove();
    }
  }

  /** Put a block at its place, reusing what is there when it is the same or only grew; false where time ran out. */
  place(index, block, stage, until = Infinity) {
    const held = this.shown[index];
    if (held && isSame(held, block, stage)) return drawFold(held, block, stage, until);
    if (held && grow(held, block, stage)) return true;
    // A block's element stays: taking one out of the row would have the browser look at its neighbours' style again.
    const node = held?.node ?? element("div", "block");
    if (held) this.references.forget(held);
    const made = { block, node, stage, draw: () => this.fill(made), code: null, list: null, summary: null };
    this.shown[index] = made;
    if (!held) this.root.append(node);
    made.draw();
    return drawFold(made, block, stage, until);
  }

  /** Write a block into its node. */
  fill(held) {
    const { block, node, stage } = held;
    if (block.kind !== "definition" && block.kind !== "footnote") this.references.forget(held);
    node.className = block.continued ? "block continued" : "block";
    node.hidden = false;
    node.replaceChildren();
    if (block.kind === "code" && stage === "final") node.append(finishedCode(block.source, block.info));
    else if (block.kind === "code") held.code = fillGrowingCode(node, block);
    else if (block.kind === "math") fillMaths(node, block, stage === "final");
    else if (block.kind === "details") this.fillDetails(held);
    else if (block.kind === "text") this.fillText(held);
    else this.fillNote(held);
  }

  rendered(drawn, source, stage, renderer = render) {
    const { growing } = this.references;
    const definition = (label) => this.references.ask(label, drawn);
    return dress(renderer(source, { growing, tail: stage === "last", definition }));
  }

  fillText(held) {
    const { block, node } = held;
    node.append(this.rendered(held, block.source, held.stage));
    if (!block.continued) return;
    const [list, before] = [node.firstElementChild, node.previousElementSibling?.lastElementChild];
    if (list?.tagName === "OL" && before?.tagName === "OL") list.start = before.start + before.children.length;
  }

  /** A definition that is used is not seen, a footnote that is used follows its label; neither is lost otherwise. */
  fillNote(held) {
    const { block, node } = held;
    const use = this.references.useOf(block, held);
    if (use === "unused")
      node.append(this.rendered(held, (block.raw ?? block.source).replace("[", "&#91;"), held.stage));
    else if (use === "used" && block.kind === "footnote") {
      const label = element("sup", "footnote-label", block.words);
      const words = element("div", "footnote-words");
      words.append(this.rendered(held, block.source, held.stage));
      node.classList.add("footnote");
      node.dataset.label = block.label;
      node.append(label, words);
    } else node.hidden = true;
  }

  fillDetails(held) {
    const fold = element("details");
    const summary = element("summary");
    const body = element("div", "details-blocks");
    fold.append(summary, body);
    held.node.append(fold);
    held.list = new BlockList(body, this.references);
    held.summary = { draw: () => this.fillSummary(summary, held) };
    held.summary.draw();
  }

  fillSummary(summary, held) {
    this.references.forget(held.summary);
    const words = held.block.summary?.trim() ?? "";
    const stage = held.block.summaryGrows ? "last" : "before";
    summary.replaceChildren(this.rendered(held.summary, words, stage, renderWords));
    summary.hidden = !words;
  }
}

/** Where the whole text ends for now, what is certain of it. */
function withoutUncertain(tail) {
  const last = tail.at(-1);
  if (last?.kind !== "text" && last?.kind !== "footnote") return tail;
  const source = certainMarkdown(last.source, last);
  return source || last.kind === "footnote" ? [...tail.slice(0, -1), { ...last, source }] : tail.slice(0, -1);
}

function isSame(held, { kind, source, info, label, href }, stage) {
  const before = held.block;
  if (before.kind !== kind) return false;
  if (kind === "details") return true;
  return (
    before.source === source &&
    held.stage === stage &&
    before.info === info &&
    before.label === label &&
    before.href === href
  );
}

/** The blocks in a fold; true for any other block. */
function drawFold(held, block, stage, until) {
  if (!held.list) return true;
  const before = held.block;
  held.block = block;
  held.stage = stage;
  if (before.summary !== block.summary || before.summaryGrows !== block.summaryGrows) held.summary.draw();
  if (!held.list.drawFinished(block.blocks, until)) return false;
  held.list.drawTail(block.tail);
  return true;
}

/** Streaming code is appended to, not rendered again. */
function grow(held, block, stage) {
  if (stage === "final" || !held.code || block.kind !== "code" || held.block.info !== block.info) return false;
  if (!block.source.startsWith(held.block.source)) return false;
  held.code.append(block.source.slice(held.block.source.length));
  held.block = block;
  return true;
}

function fillGrowingCode(node, block) {
  const { panel, code } = codePanel(block.info);
  code.append(block.source);
  node.append(panel);
  return code;
}

function fillMaths(node, block, isFinal) {
  const span = document.createElement("span");
  span.className = isFinal || block.closed ? "maths maths-display" : "maths-growing";
  span.dir = "ltr";
  span.textContent = block.source.trim();
  node.append(span);
  typeset(node);
}

/** Tables get a box to scroll in, code its panel, formulas their MathML. */
function dress(fragment) {
  for (const table of fragment.querySelectorAll("table")) {
    const box = document.createElement("div");
    box.className = "table-scroll";
    // It scrolls from where the table begins.
    box.dir = table.dir;
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", t("table"));
    table.replaceWith(box);
    box.append(table);
  }
  for (const pre of fragment.querySelectorAll("pre")) {
    const code = pre.querySelector("code");
    const info = code?.className.replace(/^language-/, "") ?? "";
    pre.replaceWith(finishedCode(pre.textContent, info));
  }
  for (const link of fragment.querySelectorAll(".image-link")) {
    link.prepend(element("span", "image-label", `${t("image")}: `));
  }
  for (const mark of fragment.querySelectorAll(".footnote-mark")) linkFootnote(mark);
  for (const box of fragment.querySelectorAll("input")) box.setAttribute("aria-label", t("task"));
  typeset(fragment);
  return fragment;
}

/** lazy/maths.js, once a formula has come. */
let maths = null;

function typeset(root) {
  const spans = [...root.querySelectorAll(".maths")];
  if (maths) maths.typeset(spans, sanitiseMaths);
  else if (spans.length)
    loadMaths().then(
      () => maths.typeset(spans, sanitiseMaths),
      () => {},
    );
}

async function loadMaths() {
  maths = await import("../lazy/maths.js");
}

/** A footnote's mark leads to its words. */
function linkFootnote(mark) {
  const label = mark.textContent;
  const link = element("button", "link", label);
  link.setAttribute("type", "button");
  link.setAttribute("aria-label", t("footnote", { label }));
  link.addEventListener("click", () => {
    const notes = [...link.closest(".markdown").querySelectorAll(".footnote")];
    notes.find((one) => one.firstChild.textContent === label)?.scrollIntoView({ block: "center" });
  });
  mark.replaceChildren(link);
}
