/** The text of an answer as Markdown, rendered when it comes near the window; until then plain text stands there. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { language } from "../i18n.js";
import { onCodeClick } from "./code.js";
import { MarkdownSurface } from "./markdown-surface.js";

/** Rendered this far ahead, a fast scroll meets finished text. */
const AHEAD = "1200px 0px";

/** Messages rendered in one frame: a fast scroll through a long conversation must not hold the page. */
const PER_FRAME = 2;

let observer;
const wanted = new WeakMap();
const queue = [];

function whenNear(element, action) {
  observer ??= new IntersectionObserver(arrived, { rootMargin: AHEAD });
  wanted.set(element, action);
  observer.observe(element);
  return () => observer.unobserve(element);
}

function arrived(entries) {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    observer.unobserve(target);
    if (!queue.length) requestAnimationFrame(work);
    queue.push(target);
  }
}

/** The newest arrivals first: they are where the reader is now. */
function work() {
  for (let count = 0; count < PER_FRAME && queue.length; count += 1) wanted.get(queue.pop())();
  if (queue.length) requestAnimationFrame(work);
}

/** True once the element has come near the window; `eager` ones are at once. */
export function useNear(ref, eager) {
  const [near, setNear] = useState(eager);
  useEffect(() => (near ? undefined : whenNear(ref.current, () => setNear(true))), []);
  return near;
}

export function AnswerText({ text, near, over }) {
  return near
    ? html`<${Rendered} key=${language.value} text=${text} over=${over} />`
    : html`<div class="markdown unrendered" dir="auto">${text}</div>`;
}

function Rendered({ text, over }) {
  const root = useRef(null);
  const surface = useRef(null);
  useLayoutEffect(() => {
    surface.current = new MarkdownSurface(root.current);
    return () => surface.current.destroy();
  }, []);
  useLayoutEffect(() => surface.current.update(text, over), [text, over]);
  return html`<div ref=${root} class="markdown" onClick=${onCodeClick}></div>`;
}
