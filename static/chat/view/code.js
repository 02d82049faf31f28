/** Code as a quiet panel: its language, a button that copies, one that wraps long lines. Plain DOM, built once. */

import { t } from "../i18n.js";
import { COPIED_MS, copyText } from "./copying.js";
import { button, element } from "./elements.js";
import { sanitise } from "./markdown.js";

/** An empty panel for code with this info string; `code` is where the text goes. */
export function codePanel(info) {
  const language = info.split(/\s/, 1)[0];
  const panel = element("figure", "code");
  panel.dir = "ltr";
  const bar = element("figcaption", "code-bar");
  bar.append(
    element("span", "code-language", language || t("code")),
    button("wrap", t("wrap_lines")),
    button("copy", t("copy_code")),
  );
  const scroll = element("pre");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", language ? t("code_in", { language }) : t("code"));
  const code = element("code");
  scroll.append(code);
  panel.append(bar, scroll);
  return { panel, code };
}

/** A whole panel for finished code, coloured when its grammar has come. */
export function finishedCode(text, info) {
  const { panel, code } = codePanel(info);
  code.textContent = text;
  if (/^mermaid\b/i.test(info)) import("../lazy/diagrams.js").then(({ drawDiagram }) => drawDiagram(panel, text));
  else if (info)
    import("../lazy/highlight.js").then(
      ({ highlight }) => highlight(code, info, sanitise),
      () => {},
    );
  return panel;
}

/** Clicks on the buttons of any panel inside an element. */
export function onCodeClick(event) {
  const pressed = event.target.closest?.("[data-action]");
  const panel = pressed?.closest(".code");
  if (!panel) return;
  if (pressed.dataset.action === "source") pressed.setAttribute("aria-pressed", panel.classList.toggle("sourced"));
  else if (pressed.dataset.action === "wrap") pressed.setAttribute("aria-pressed", panel.classList.toggle("wrapped"));
  else copyCode(pressed, panel);
}

async function copyCode(pressed, panel) {
  if (!(await copyText(panel.querySelector("code").textContent))) return;
  pressed.classList.add("done");
  pressed.title = t("copied");
  setTimeout(() => {
    pressed.classList.remove("done");
    pressed.title = t("copy_code");
  }, COPIED_MS);
}
