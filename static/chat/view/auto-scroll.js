/** Staying at the end of a growing conversation, unless the reader has scrolled up. */

import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect } from "preact/hooks";

/** This near to the end counts as being there. */
const NEAR_PX = 40;

/** Whether the reader is at the end; the button "jump to latest" shows when not. */
export const atEnd = signal(true);

let box = null;
let following = true;
let lastTop = 0;

export function jumpToEnd() {
  following = true;
  if (box) box.scrollTop = box.scrollHeight;
}

/** Leave the end for a place in the middle: a message, or the hit in it. */
export function scrollTo(element, range) {
  following = false;
  element.scrollIntoView({ block: "start" });
  const { top } = (range ?? element).getBoundingClientRect();
  box.scrollTop += top - box.getBoundingClientRect().top - box.clientHeight / 4;
  lastTop = box.scrollTop;
  atEnd.value = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX;
}

function onScroll() {
  const gap = box.scrollHeight - box.scrollTop - box.clientHeight;
  if (gap < NEAR_PX) following = true;
  else if (box.scrollTop < lastTop - 1) following = false;
  lastTop = box.scrollTop;
  atEnd.value = gap < NEAR_PX || following;
}

/** Wire the scroller and its content; `subject` is what is shown: a new one starts at its end, none at the top. */
export function useAutoScroll(boxRef, contentRef, subject) {
  useLayoutEffect(() => {
    box = boxRef.current;
    box.addEventListener("scroll", onScroll, { passive: true });
    const grown = new ResizeObserver(() => following && jumpToEnd());
    grown.observe(contentRef.current);
    grown.observe(box);
    return () => grown.disconnect();
  }, []);
  useLayoutEffect(() => {
    atEnd.value = true;
    following = subject !== null;
    if (following) jumpToEnd();
    else box.scrollTop = 0;
  }, [subject]);
  useEffect(() => subject !== null && jumpToEnd(), [subject]);
}
