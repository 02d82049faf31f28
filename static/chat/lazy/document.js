/** What the model was given of a document, and the original to be saved. */

import { useEffect, useState } from "preact/hooks";
import * as api from "../api.js";
import { integer } from "../format.js";
import { html } from "../html.js";
import { locale, t } from "../i18n.js";
import { sizeOf } from "../view/documents.js";
import { notify } from "../notices.js";
import { closeDialog, Sheet } from "./sheet.js";

export function Body({ document }) {
  const [text, setText] = useState(null);
  useEffect(() => {
    api.documentText(document.id).then((found) => setText(found.text), (error) => { closeDialog(); notify({ failed: error }); });
  }, []);
  const told = document.given == null ? t("document_told") : t("document_beginning_told", { shown: integer(document.given, locale()) });
  const given = document.given == null ? text : [...(text ?? "")].slice(0, document.given).join("");
  return html`<${Sheet} title=${document.name} wide>
    <p class="soft">${told} ${sizeOf(document)}</p>
    <pre class="document-text" tabindex="0" data-first>${text === null ? t("loading") : given}</pre>
    <div class="ends"><a class="button" href=${api.fileOf(document.id)} download>${t("document_original")}</a></div>
  <//>`;
}
