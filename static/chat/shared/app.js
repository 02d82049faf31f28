/** The page that a share link leads to: one branch, for reading. The same Markdown, nothing to do but copy code. */

import { t } from "../i18n.js";
import { onCodeClick } from "../view/code.js";
import { MarkdownSurface } from "../view/markdown-surface.js";
import { useLanguage } from "../view/preferences.js";

const boot = JSON.parse(document.getElementById("boot").textContent);

await useLanguage(boot.language);

const place = document.getElementById("messages");
place.replaceChildren();
for (const { role, content, documents } of boot.messages)
  place.append(role === "user" ? question(content, documents) : answer(content));

function article(kind, label) {
  const made = document.createElement("article");
  made.className = `message ${kind}`;
  made.setAttribute("aria-label", label);
  return made;
}

/** Of documents a reader of the link learns the names. */
function question(content, documents = []) {
  const made = article("question", t("shared_question"));
  for (const name of documents) {
    const line = document.createElement("p");
    line.className = "shared-document";
    line.textContent = name;
    made.append(line);
  }
  if (!content) return made;
  const panel = document.createElement("div");
  panel.className = "panel";
  panel.dir = "auto";
  panel.textContent = content;
  made.append(panel);
  return made;
}

function answer(content) {
  const made = article("answer", t("answer"));
  const text = document.createElement("div");
  text.className = "markdown";
  text.addEventListener("click", onCodeClick);
  made.append(text);
  new MarkdownSurface(text).update(content, true);
  return made;
}
