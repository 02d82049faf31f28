/** A button in a dialog that copies a text, and says so. */

import { useState } from "preact/hooks";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { notify } from "../notices.js";

/** How long it says that it has copied. */
const COPIED_MS = 1_500;

/** `label` names it where several stand in one list. */
export function CopyButton({ text, look = "button", label }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      notify({ key: "copy_refused" });
      return;
    }
    setCopied(true);
    setTimeout(() => setCopied(false), COPIED_MS);
  };
  return html`<button type="button" class=${look} aria-label=${copied ? null : label} onClick=${copy}>${t(copied ? "copied" : "copy")}</button>`;
}
