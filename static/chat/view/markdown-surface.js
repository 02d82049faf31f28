/**
 * A growing Markdown text on the page. Finished blocks are rendered once and never touched again; the tail is
 * rendered at most once a frame, and less often when it is costly, so that no answer can hold the page.
 */

import { BlockStream } from "../blocks.js";
import { References } from "../references.js";
import { BlockList } from "./block-list.js";

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
    this.references = new References();
    this.list = new BlockList(this.root, this.references);
    this.over = false;
    this.nextTail = 0;
  }

  /** Show this text; usually the last one with more at its end. `over`: nothing more will come. */
  update(text, over) {
    if (!text.startsWith(this.text) || (this.over && !over)) this.reset();
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
    const { stream, references, list } = this;
    if (this.over) stream.end();
    references.take(stream.definitions, !this.over);
    if (!list.drawFinished(stream.blocks, start + SLICE_MS)) return this.later();
    if (!this.over && start < this.nextTail) return this.afterwards();
    list.drawTail(this.over ? [] : stream.tail(true));
    if (!references.redraw(start + SLICE_MS)) return this.later();
    this.nextTail = start + (performance.now() - start) * TAIL_SHARE;
    return undefined;
  }

  later() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  afterwards() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.draw(), this.nextTail - performance.now());
  }
}
