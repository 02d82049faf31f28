/** What the model was given of a document, and the original to be saved. */

import { useEffect, useState } from "preact/hooks";
import * as api from "../api.js";
import { integer } from "../format.js";
import { html } from "../html.js";
import { locale, t } from "../i18n.js";
import { sizeOf } from "../view/documents.js";
import { closeDialog, notify } from "../notices.js";
import { Dialog } from "./dialog.js";

export function Body({ document }) {
  const [text, setText] = useState(null);
  useEffect(() => {
    api.documentText(document.id).then(
      (found) => setText(found.text),
      (error) => {
        closeDialog();
        notify({ failed: error });
      },
    );
  }, []);
  const note =
    document.given == null
      ? t("document_given")
      : t("document_truncated_given", { shown: integer(document.given, locale()) });
  const given = document.given == null ? text : [...(text ?? "")].slice(0, document.given).join("");
  return html`<${Dialog} title=${document.name} wide>
    <p class="soft">${note} ${sizeOf(document)}</p>
    <pre class="document-text" tabindex="0" data-first>${text === null ? t("loading") : given}</pre>
    <div class="ends"><a class="button" href=${api.fileOf(document.id)} download>${t("document_original")}</a></div>
  <//>`;
}
