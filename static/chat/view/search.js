/** The search field of the sidebar and what it finds: titles and messages, hits marked, opened at the message. */

import { useLayoutEffect } from "preact/hooks";
import { open } from "../actions.js";
import { html } from "../html.js";
import { locale, t } from "../i18n.js";
import { narrow, openSidebar } from "./preferences.js";
import { findAgain, findMore, query, results, wordsOf } from "../search.js";
import { Icon, IconButton } from "./icons.js";

const MOST_CHARS = 200;

const hitLinks = () => [...document.querySelectorAll(".hit")];

/** Wanted by the keyboard while the sidebar is not drawn yet. */
let wanted = false;

/** At once, where the field is on the page: the next key is meant for it. */
export function focusSearch() {
  const field = document.querySelector(".search input");
  wanted = !field;
  field?.focus();
  field?.select();
}

export function SearchField() {
  useLayoutEffect(() => {
    if (wanted) focusSearch();
  }, []);
  const onKeyDown = (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      query.value = "";
    }
    if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      const first = hitLinks()[0];
      if (event.key === "Enter") first?.click();
      else first?.focus();
    }
  };
  return html`<div class="search" role="search">
    <${Icon} name="search" size=${16} />
    <input
      type="search"
      value=${query.value}
      placeholder=${t("search")}
      aria-label=${t("search_all")}
      title="Ctrl K"
      maxlength=${MOST_CHARS}
      autocomplete="off"
      spellcheck=${false}
      onInput=${(event) => {
        query.value = event.currentTarget.value;
      }}
      onKeyDown=${onKeyDown} />
    ${query.value
      ? html`<${IconButton}
          icon="x"
          label=${t("clear_search")}
          onClick=${() => {
            query.value = "";
            focusSearch();
          }} />`
      : html`<kbd aria-hidden="true">Ctrl K</kbd>`}
  </div>`;
}

function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape") {
    event.stopPropagation();
    focusSearch();
  }
  if (!step) return;
  event.preventDefault();
  const links = hitLinks();
  const next = links[links.indexOf(document.activeElement) + step];
  if (next) next.focus();
  else if (step < 0) focusSearch();
}

export function SearchResults() {
  const { status, hits, next } = results.value;
  const words = status === "ready" ? t("found_count", { count: hits.length, more: Boolean(next) }) : "";
  return html`<div class="hits" onKeyDown=${walk}>
    <p class="list-note" role="status">${status === "loading" && !hits.length ? t("searching") : words}</p>
    ${status === "failed" && html`<p class="list-note">
      ${t("search_failed")}
      <button type="button" class="quiet strong" onClick=${findAgain}>${t("retry")}</button>
    </p>`}
    <ul>${hits.map((hit) => html`<li key=${`${hit.conversation}${hit.message}`}><${Hit} hit=${hit} /></li>`)}</ul>
    ${next && html`<button type="button" class="quiet more-hits" onClick=${findMore}>${t("more_hits")}</button>`}
  </div>`;
}

/** Plain and hit parts in turn. */
const marked = (parts) => parts.map((part, index) => (index % 2 ? html`<mark>${part}</mark>` : part));

function Hit({ hit }) {
  const { conversation, message } = hit;
  const go = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    open(conversation, { message, words: wordsOf(query.value) });
    if (narrow.matches) openSidebar(false);
  };
  const day = new Intl.DateTimeFormat(locale(), { dateStyle: "medium" }).format(new Date(hit.at));
  return html`<a class="hit" href=${`/c/${conversation}${message ? `#m-${message}` : ""}`} onClick=${go}>
    <span class="hit-title" dir="auto">${marked(hit.title)}</span>
    ${message && html`<span class="hit-context">${marked(hit.context)}</span>`}
    <span class="hit-day">${message ? `${t(hit.role === "user" ? "said_you" : "said_answer")} · ${day}` : day}</span>
  </a>`;
}
