/** A button that opens a menu beside it: arrows walk, Escape and a click elsewhere close, focus returns. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { Icon } from "./icons.js";

const GAP_PX = 4;
const EDGE_PX = 8;

/** Below the button, or above it where there is no room; always inside the window. */
function place(menu, button) {
  const at = button.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const below = at.bottom + GAP_PX + height < innerHeight - EDGE_PX;
  menu.style.top = `${below ? at.bottom + GAP_PX : Math.max(EDGE_PX, at.top - GAP_PX - height)}px`;
  menu.style.left = `${Math.max(EDGE_PX, Math.min(at.left, innerWidth - width - EDGE_PX))}px`;
}

function walk(event, menu) {
  const items = [...menu.querySelectorAll("[role^=menuitem]")];
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const edge = { Home: 0, End: items.length - 1 }[event.key];
  if (step === undefined && edge === undefined) return;
  event.preventDefault();
  const index = edge ?? (items.indexOf(document.activeElement) + step + items.length) % items.length;
  items[index].focus();
}

/** `children` is a function that gets `close` and gives the items. */
export function Menu({ label, className = "icon-button", trigger, children }) {
  const [isOpen, setOpen] = useState(false);
  const button = useRef(null);
  const menu = useRef(null);
  const close = (refocus = true) => {
    setOpen(false);
    if (refocus) button.current?.focus();
  };
  useLayoutEffect(() => {
    if (!isOpen) return undefined;
    place(menu.current, button.current);
    menu.current.querySelector("[role^=menuitem]").focus();
    const elsewhere = (event) =>
      menu.current?.contains(event.target) || button.current?.contains(event.target) || close(false);
    const away = () => close(false);
    document.addEventListener("pointerdown", elsewhere);
    window.addEventListener("resize", away);
    return () => {
      document.removeEventListener("pointerdown", elsewhere);
      window.removeEventListener("resize", away);
    };
  }, [isOpen]);
  const onKeyDown = (event) => {
    if (event.key === "Escape" || event.key === "Tab") {
      event.stopPropagation();
      close(event.key === "Escape");
    } else walk(event, menu.current);
  };
  return html`
    <button
      ref=${button}
      type="button"
      class=${className}
      aria-label=${trigger ? null : label}
      title=${trigger ? null : label}
      aria-haspopup="menu"
      aria-expanded=${isOpen}
      onClick=${() => setOpen(!isOpen)}>
      ${trigger ?? html`<${Icon} name="ellipsis" />`}
    </button>
    ${isOpen && html`<div ref=${menu} class="menu" role="menu" aria-label=${label} onKeyDown=${onKeyDown}>
      ${children(close)}
    </div>`}
  `;
}

export function MenuItem({ icon, onSelect, danger, checked, href, children }) {
  // The menu's items are walked by arrows; the check says which one is in force.
  const role = checked === undefined ? "menuitem" : "menuitemradio";
  const className = `menu-item${danger ? " danger" : ""}`;
  const inside = html`
    <span class="menu-icon">${icon && html`<${Icon} name=${icon} size=${16} />`}</span>
    <span>${children}</span>
    ${checked && html`<${Icon} name="check" size=${16} />`}
  `;
  if (href) return html`<a class=${className} role=${role} tabindex="-1" href=${href}>${inside}</a>`;
  return html`<button
    type="button"
    class=${className}
    role=${role}
    tabindex="-1"
    aria-checked=${checked}
    onClick=${onSelect}>
    ${inside}
  </button>`;
}
