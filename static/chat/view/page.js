/** The page around the chat: what its shell holds, its address and title, whether anybody looks at it. */

import { effect } from "@preact/signals";
import { render } from "preact";
import { html } from "../html.js";
import { unseen } from "../notices.js";
import { conversation, hidden } from "../store.js";
import { Shell } from "./shell.js";

/** @type {() => Page.Boot} */
export const readBoot = () => JSON.parse(document.getElementById("boot").textContent);

export const readCsrfToken = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

/** Draw the chat in the shell's place, and its state into the tab's title. */
export function mount(user) {
  const root = document.getElementById("app");
  const siteName = document.title;
  root.replaceChildren();
  render(html`<${Shell} user=${user} />`, root);
  effect(() => {
    const title = conversation.value?.title;
    document.title = `${unseen.value ? "✓ " : ""}${title ? `${title} · ` : ""}${siteName}`;
  });
}

const watchVisibility = () => {
  hidden.value = document.hidden;
};

document.addEventListener("visibilitychange", watchVisibility);
watchVisibility();

/** What actions.js has of the browser. @type {Page.Browser} */
export const browser = {
  socketUrl: () => `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws/chat/`,
  conversation: () => /^\/c\/([0-9a-f-]{36})/.exec(location.pathname)?.[1] ?? null,
  message: () => /^#m-([0-9a-f-]{36})$/.exec(location.hash)?.[1] ?? null,
  go(address) {
    if (address !== location.pathname + location.hash) history.pushState(null, "", address);
  },
  rename: (address) => history.replaceState(null, "", address),
  on: (name, handler) => window.addEventListener(name, handler),
};
