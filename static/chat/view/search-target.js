/** Bringing a found message into view and marking the words in it, without touching its markup. */

import { notify } from "../notices.js";
import { target } from "../search.js";
import { scrollTo } from "./auto-scroll.js";

/** Words marked in one message: a page of them. */
const MOST_MARKS = 100;

/** A message that is not rendered yet is looked for this often; a long conversation mounts in steps of 30 ms. */
const TRY_EVERY_MS = 50;
const TRIES = 60;

/** The marks are drawn once more when Markdown has replaced the plain text that held its place. */
const RENDERED_MS = 400;

let timer;

/** Show the asked message as soon as it is on the page. */
export function showTarget() {
  const wanted = target.peek();
  clearTimeout(timer);
  if (wanted) seek(wanted, 0);
}

function seek({ message, words }, tries) {
  const element = document.getElementById(`m-${message}`);
  if (!element) {
    if (tries < TRIES) timer = setTimeout(() => seek({ message, words }, tries + 1), TRY_EVERY_MS);
    else giveUp();
    return;
  }
  target.value = null;
  reveal(element, words);
  timer = setTimeout(() => reveal(element, words), RENDERED_MS);
}

function giveUp() {
  target.value = null;
  notify({ key: "message_gone" });
}

function reveal(element, words) {
  const ranges = words?.length ? rangesOf(element, words) : [];
  if ("highlights" in CSS) CSS.highlights.set("found", new Highlight(...ranges));
  scrollTo(element, ranges[0]);
}

function rangesOf(element, words) {
  const ranges = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT, (node) =>
    node.parentElement.closest("button, .tools, .code-bar") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT,
  );
  const next = () => /** @type {Text} */ (walker.nextNode());
  for (let node = next(); node && ranges.length < MOST_MARKS; node = next()) {
    const text = node.data.toLowerCase();
    for (const word of words) {
      for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
        const range = new Range();
        range.setStart(node, at);
        range.setEnd(node, Math.min(at + word.length, node.length));
        ranges.push(range);
      }
    }
  }
  return ranges;
}

/** Another conversation, another search: the marks go. */
export const clearMarks = () => CSS.highlights?.delete("found");
