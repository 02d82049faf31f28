/** The chat page: reads what the server put into the shell, mounts the view, connects. */

import { effect } from "@preact/signals";
import { render } from "preact";
import { start } from "./actions.js";
import { hold } from "./features.js";
import { useLanguage } from "./i18n.js";
import { html } from "./html.js";
import { unseen } from "./notices.js";
import { conversation } from "./store.js";
import { Shell } from "./view/shell.js";
import { listenForKeys } from "./view/keys.js";

const boot = JSON.parse(document.getElementById("boot").textContent);
const siteName = document.title;

await useLanguage(boot.language);
hold(boot.features);

const root = document.getElementById("app");
root.replaceChildren();
render(html`<${Shell} user=${boot.user} />`, root);

effect(() => {
  const title = conversation.value?.title;
  document.title = `${unseen.value ? "✓ " : ""}${title ? `${title} · ` : ""}${siteName}`;
});

listenForKeys();
start(boot);
