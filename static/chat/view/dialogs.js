/** Dialogs over the page. Each is a module in lazy/, fetched when it is first opened; the first brings their style. */

import { useEffect, useState } from "preact/hooks";
import { html } from "../html.js";
import { needMoreWords } from "../i18n.js";
import { closeDialog, dialog, notify } from "../notices.js";
import { loadStyle } from "./elements.js";

const MODULES = {
  document: () => import("../lazy/document.js"),
  folder: () => import("../lazy/folder.js"),
  share: () => import("../lazy/share.js"),
  shortcuts: () => import("../lazy/shortcuts.js"),
  settings: () => import("../lazy/settings.js"),
  comment: () => import("../lazy/comment.js"),
  export: () => import("../lazy/export.js"),
  retention: () => import("../lazy/retention.js"),
};

let styled;

export function Dialogs() {
  const asked = dialog.value;
  const [loaded, setLoaded] = useState({});
  useEffect(() => {
    if (!asked || loaded[asked.name]) return;
    styled ??= loadStyle("dialogs");
    Promise.all([MODULES[asked.name](), needMoreWords(), styled])
      .then(([{ Body }]) => setLoaded({ ...loaded, [asked.name]: Body }))
      .catch(() => {
        closeDialog();
        notify({ failed: {} });
      });
  }, [asked]);
  const Body = asked && loaded[asked.name];
  return Body ? html`<${Body} key=${asked.name} ...${asked} />` : null;
}
