/** Dialogs over the page. Each is a module in lazy/, fetched when it is first opened. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { needMoreWords, t } from "../i18n.js";
import { dialog, notify } from "../notices.js";
import { Icon } from "./icons.js";

const MODULES = {
  document: () => import("../lazy/document.js"),
  folder: () => import("../lazy/folder.js"),
  share: () => import("../lazy/share.js"),
  shortcuts: () => import("../lazy/shortcuts.js"),
  settings: () => import("../lazy/settings.js"),
  comment: () => import("../lazy/comment.js"),
  export: () => import("../lazy/export.js"),
  keep: () => import("../lazy/keep.js"),
};

export function Dialogs() {
  const asked = dialog.value;
  const [loaded, setLoaded] = useState({});
  useEffect(() => {
    if (!asked || loaded[asked.name]) return;
    Promise.all([MODULES[asked.name](), needMoreWords()])
      .then(([{ Body }]) => setLoaded({ ...loaded, [asked.name]: Body }))
      .catch(() => { dialog.value = null; notify({ failed: {} }); });
  }, [asked]);
  const Body = asked && loaded[asked.name];
  return Body ? html`<${Body} key=${asked.name} ...${asked} />` : null;
}

export const closeDialog = () => {
  dialog.value = null;
};

/** Whether the pointer is on the veil, and not on the dialog, whose own padding gives it as the target too. */
function isBeside({ target, clientX: x, clientY: y }, box) {
  const { left, right, top, bottom } = box.getBoundingClientRect();
  return target === box && (x < left || x > right || y < top || y > bottom);
}

/** A sheet with a heading. Escape and a click beside it close it; focus returns to where it was. */
export function Sheet({ title, wide, children }) {
  const box = useRef(null);
  const pressedBeside = useRef(false);
  useLayoutEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    box.current.querySelector("[data-first]")?.focus();
    return () => before?.isConnected && before.focus();
  }, []);
  // Text that is marked by dragging out of its field ends on the veil, but did not begin there.
  const onPointerDown = (event) => { pressedBeside.current = isBeside(event, box.current); };
  const onClick = (event) => pressedBeside.current && isBeside(event, box.current) && box.current.close();
  return html`<dialog ref=${box} class=${`sheet${wide ? " wide" : ""}`} aria-labelledby="dialog-title" onClose=${closeDialog} onPointerDown=${onPointerDown} onClick=${onClick}
    onKeyDown=${(event) => event.key === "Escape" && event.stopPropagation()}>
    <header>
      <h2 id="dialog-title">${title}</h2>
      <button type="button" class="icon-button" aria-label=${t("dismiss")} title=${t("dismiss")} onClick=${() => box.current.close()}><${Icon} name="x" /></button>
    </header>
    ${children}
  </dialog>`;
}
