/**
 * A growing Markdown text on the page. Finished blocks are rendered once and never touched again; the tail is
 * rendered at most once a frame, and less often when it is costly, so that no answer can hold the page.
 */

import { BlockStream } from "../blocks.js";
import { t } from "../i18n.js";
import { render, sanitiseMaths } from "../markdown.js";
import { typeset } from "../maths.js";
import { mend } from "../mend.js";
import { codePanel, finishedCode } from "./code.js";

/** Longest stretch of rendering before the page may breathe; at a quarter of the speed still under 100 ms. */
const SLICE_MS = 20;

/** The tail takes at most one part in this many of the time. */
const TAIL_SHARE = 5;

export class MarkdownSurface {
  constructor(root) {
    this.root = root;
    this.reset();
  }

  reset() {
    cancelAnimationFrame(this.frame);
    this.root.replaceChildren();
    this.stream = new BlockStream();
    this.text = "";
    this.shown = [];
    this.frozen = 0;
    this.nextTail = 0;
  }

  /** Show this text; usually the last one with more at its end. `over`: nothing more will come. */
  update(text, over) {
    if (!text.startsWith(this.text)) this.reset();
    this.stream.push(text.slice(this.text.length));
    this.text = text;
    this.over = over;
    this.draw();
  }

  destroy() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
  }

  draw() {
    const start = performance.now();
    const { blocks } = this.stream;
    for (; this.frozen < blocks.length; this.frozen += 1) {
      this.place(this.frozen, blocks[this.frozen], true);
      if (performance.now() - start > SLICE_MS) return this.later();
    }
    if (start < this.nextTail && !this.over) return this.afterwards();
    this.drawTail(start);
    return undefined;
  }

  drawTail(start) {
    const tail = this.over ? this.stream.tail() : mendLast(this.stream.tail());
    tail.forEach((block, index) => this.place(this.frozen + index, block, this.over));
    for (const extra of this.shown.splice(this.frozen + tail.length)) extra.node.remove();
    const cost = performance.now() - start;
    this.nextTail = start + cost * TAIL_SHARE;
  }

  later() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  afterwards() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.draw(), this.nextTail - performance.now());
  }

  /** Put a block at its place, reusing what is there when it is the same or code that only grew. */
  place(index, block, isFinal) {
    const held = this.shown[index];
    if (held?.block.kind === block.kind && held.block.source === block.source && held.isFinal === isFinal && held.block.info === block.info) return;
    if (held && !isFinal && grow(held, block)) return;
    // A block's element stays: taking one out of the row would have the browser look at its neighbours' style again.
    const node = held?.node ?? document.createElement("div");
    node.className = block.continued ? "block continued" : "block";
    node.replaceChildren();
    this.shown[index] = { block, node, isFinal, code: fill(node, block, isFinal) };
    if (!held) this.root.append(node);
  }
}

/** The last block with its open marks closed; nothing where it only begins to be something. */
function mendLast(tail) {
  const last = tail.at(-1);
  if (last?.kind !== "text") return tail;
  const source = mend(last.source);
  return source ? [...tail.slice(0, -1), { ...last, source }] : tail.slice(0, -1);
}

/** Streaming code is appended to, not rendered again. */
function grow(held, block) {
  if (!held.code || block.kind !== "code" || held.block.info !== block.info) return false;
  if (!block.source.startsWith(held.block.source)) return false;
  held.code.append(block.source.slice(held.block.source.length));
  held.block = block;
  return true;
}

/** Write a block into its node. Returns the element that streaming code is appended to, if it is that. */
function fill(node, block, isFinal) {
  if (block.kind === "code" && isFinal) node.append(finishedCode(block.source, block.info));
  else if (block.kind === "code") return fillGrowingCode(node, block);
  else if (block.kind === "math") fillMaths(node, block, isFinal);
  else node.append(dress(render(block.source)));
  return null;
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
  typeset(node, sanitiseMaths);
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
  for (const link of fragment.querySelectorAll(".image-link")) link.prepend(`${t("image")}: `);
  for (const box of fragment.querySelectorAll("input")) box.setAttribute("aria-label", t("task"));
  typeset(fragment, sanitiseMaths);
  return fragment;
}
