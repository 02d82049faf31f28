/** The frame of every dialog: a heading, a button that closes, focus, and a question before typed words are lost. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { closeDialog } from "../notices.js";
import { IconButton } from "../view/icons.js";

/** Whether the pointer is on the backdrop, and not on the dialog, whose own padding gives it as the target too. */
function isOnBackdrop({ target, clientX: x, clientY: y }, box) {
  const { left, right, top, bottom } = box.getBoundingClientRect();
  return target === box && (x < left || x > right || y < top || y > bottom);
}

const lines = (text) => text.replace(/\r\n?/g, "\n");

/** The first field with words that were typed and not kept, if any. A field's default is what is kept of it. */
export const typedIn = (box) =>
  [...box.querySelectorAll("textarea, input:is(:not([type]), [type=number], [type=email])")].find(
    (field) => !field.readOnly && lines(field.value) !== lines(field.defaultValue),
  );

/**
 * A dialog with a heading. Escape and a click beside it close it; focus returns to where it was. Where words would be
 * lost it asks first, in its head, and has them brought into view (`reveal(field)`); Escape then goes back to them.
 */
export function Dialog({ title, wide, reveal, children }) {
  const box = useRef(null);
  const pressedOnBackdrop = useRef(false);
  const [asking, setAsking] = useState(false);
  const written = useRef(null);
  const close = () => {
    const typed = typedIn(box.current);
    if (!typed) return box.current.close();
    const hidden = !typed.checkVisibility();
    if (!asking) written.current = hidden ? typed : document.activeElement;
    if (hidden) reveal(typed);
    return setAsking(true);
  };
  const goBack = () => {
    setAsking(false);
    written.current?.focus();
  };
  useLayoutEffect(() => {
    const before = /** @type {HTMLElement} */ (document.activeElement);
    box.current.showModal();
    box.current.querySelector("[data-first]")?.focus();
    return () => before?.isConnected && before.focus();
  }, []);
  // Text that is marked by dragging out of its field ends on the backdrop, but did not begin there.
  const onPointerDown = (event) => {
    pressedOnBackdrop.current = isOnBackdrop(event, box.current);
  };
  const onClick = (event) => pressedOnBackdrop.current && isOnBackdrop(event, box.current) && close();
  const onKeyDown = (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    if (event.isComposing) return;
    event.preventDefault();
    if (asking) goBack();
    else close();
  };
  // A phone's way back.
  const onCancel = (event) => {
    event.preventDefault();
    close();
  };
  return html`<dialog
    ref=${box}
    class=${`dialog${wide ? " wide" : ""}`}
    aria-labelledby="dialog-title"
    onClose=${closeDialog}
    onPointerDown=${onPointerDown}
    onClick=${onClick}
    onKeyDown=${onKeyDown}
    onCancel=${onCancel}
    onInput=${() => setAsking(false)}>
    <header>
      <h2 id="dialog-title">${asking ? t("discard_typed") : title}</h2>
      ${asking
        ? html`<${Unsaved} goBack=${goBack} discard=${() => box.current.close()} />`
        : html`<${IconButton} icon="x" label=${t("dismiss")} size=${18} onClick=${close} />`}
    </header>
    ${children}
  </dialog>`;
}

function Unsaved({ goBack, discard }) {
  const first = useRef(null);
  useLayoutEffect(() => first.current.focus(), []);
  return html`<span class="unsaved" role="group" aria-labelledby="dialog-title">
    <button ref=${first} type="button" class="button" aria-describedby="dialog-title" onClick=${goBack}>
      ${t("keep_writing")}
    </button>
    <button type="button" class="button danger" onClick=${discard}>${t("discard")}</button>
  </span>`;
}
