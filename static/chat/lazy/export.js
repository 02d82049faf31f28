/** Save one conversation: in which format, the branch that is shown or everything. */

import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { closeDialog, notify } from "../notices.js";
import { Dialog } from "./dialog.js";
import { Failure, TransferBar } from "./transfer-bar.js";
import { addressOf, requestExport, end, fileOf, FORMATS, save, poll } from "./transfers.js";

/** `leaf`: where the shown branch ends; without it there is no choice between branch and whole. */
export function Body({ id, title, leaf, branches }) {
  const [format, setFormat] = useState("markdown");
  const [whole, setWhole] = useState(!branches);
  const [job, setJob] = useState(null);
  const gone = useRef(new AbortController());
  useEffect(() => () => gone.current.abort(), []);
  const begin = async (event) => {
    event.preventDefault();
    const wanted = { format, conversation: id, leaf: whole ? null : leaf };
    const address = addressOf(wanted);
    try {
      if (address && (await api.isAtOnce(address))) {
        save(address);
        closeDialog();
        return;
      }
      const ended = await poll(await requestExport(wanted), setJob, gone.current.signal);
      if (ended?.status !== "finished") return;
      save(fileOf(ended));
      closeDialog();
    } catch (error) {
      setJob(null);
      notify({ failed: error });
    }
  };
  const stop = () => {
    end(job).catch((error) => notify({ failed: error }));
    closeDialog();
  };
  const failed = job?.status === "failed";
  return html`<${Dialog} title=${t("export_title")}>
    <form class="stack" onSubmit=${begin}>
      <p class="soft">${title || t("untitled")}</p>
      ${job && !failed
        ? html`<${TransferBar} job=${job} onEnd=${stop} />`
        : html`
            ${failed && html`<${Failure} job=${job} />`}
            <${Formats} value=${format} choose=${setFormat} />
            ${branches && html`<fieldset>
              <legend>${t("export_which")}</legend>
              ${[false, true].map((value) => html`<label class="choice" key=${value}>
                <input type="radio" name="whole" checked=${whole === value} onChange=${() => setWhole(value)} />
                <span>${t(value ? "export_whole" : "export_branch")}</span>
              </label>`)}
            </fieldset>`}
            <div class="ends"><button type="submit" class="button primary">${t("export")}</button></div>
          `}
    </form>
  <//>`;
}

export function Formats({ value, choose }) {
  return html`<fieldset>
    <legend>${t("export_format")}</legend>
    ${FORMATS.map((name) => html`<label class="choice" key=${name}>
      <input
        type="radio"
        name="format"
        data-first=${value === name}
        checked=${value === name}
        onChange=${() => choose(name)} />
      <span><strong>${t(`format_${name}`)}</strong><span class="soft">${t(`format_${name}_for`)}</span></span>
    </label>`)}
  </fieldset>`;
}
