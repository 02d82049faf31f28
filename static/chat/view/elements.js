/** Plain DOM elements, for what is drawn without Preact: code panels, diagrams, style sheets that come later. */

const ICONS = {
  copy: "M9 9h11v11a2 2 0 0 1-2 2H9z M5 15H4a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2h9a2 2 0 0 1 2 2v1",
  wrap: "M3 6h18 M3 12h15a3 3 0 1 1 0 6h-4 M16 16l-2 2 2 2 M3 18h7",
};

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** A button of a code panel: `shape` is the path of its icon. */
export function button(action, label, shape = ICONS[action]) {
  const made = element("button", "code-button");
  made.type = "button";
  made.dataset.action = action;
  made.title = label;
  made.setAttribute("aria-label", label);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", shape);
  svg.append(path);
  made.append(svg);
  return made;
}

/** Have a style sheet of static/css that no first visit needs; resolves when it holds, or cannot be had. */
export const loadStyle = (name) =>
  new Promise((resolve) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL(`../../css/${name}.css`, import.meta.url).href;
    link.onload = link.onerror = resolve;
    document.head.append(link);
  });
