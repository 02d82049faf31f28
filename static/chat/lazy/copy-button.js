/** A button in a dialog that copies a text, and says so. */

import { html } from "../html.js";
import { t } from "../i18n.js";
import { useCopied } from "../view/copying.js";

/** `label` names it where several stand in one list. */
export function CopyButton({ text, className = "button", label }) {
  const [copied, copy] = useCopied();
  return html`<button type="button" class=${className} aria-label=${copied ? null : label} onClick=${() => copy(text)}>
    ${t(copied ? "copied" : "copy")}
  </button>`;
}
