/** Renders the page's own Markdown, which is the repository's docs/api.md. Without scripts it is read as it stands. */

import "dompurify";
import { Marked } from "marked";

const source = document.querySelector("#source");
const article = document.createElement("article");
article.className = "markdown block";
const markup = /** @type {string} */ (new Marked({ gfm: true }).parse(source.textContent));
article.append(globalThis.DOMPurify.sanitize(markup, { RETURN_DOM_FRAGMENT: true }));
for (const panel of article.querySelectorAll("pre")) panel.tabIndex = 0;
source.replaceWith(article);
