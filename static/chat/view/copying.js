/** Copying to the clipboard: said for a moment where it was done, and in a notice where the browser refuses. */

import { useState } from "preact/hooks";
import { notify } from "../notices.js";

/** How long it is said. */
export const COPIED_MS = 1_500;

/** Whether it was copied. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    notify({ key: "copy_refused" });
    return false;
  }
}

/** Whether the latest copy was a moment ago, and how to make one. */
export function useCopied() {
  const [copied, setCopied] = useState(false);
  const copy = async (text) => {
    if (!(await copyText(text))) return;
    setCopied(true);
    setTimeout(() => setCopied(false), COPIED_MS);
  };
  return /** @type {const} */ ([copied, copy]);
}
