/** Dialogs over the page. Each is a module in lazy/, fetched when it is first opened. */

import { useEffect, useState } from "preact/hooks";
import { html } from "../html.js";
import { needMoreWords } from "../i18n.js";
import { dialog, notify } from "../notices.js";

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
