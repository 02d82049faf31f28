/** Settings → Data: everything out, everything in, and the end of the account. */

import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api.js";
import { html } from "../html.js";
import { locale, t } from "../i18n.js";
import { listConversations } from "../listing.js";
import { notify } from "../notices.js";
import { ImportReport } from "./import-report.js";
import { Failure, TransferBar } from "./transfer-bar.js";
import { requestExport, end, fileOf, FORMATS, isActive, save, send, poll } from "./transfers.js";

export function Data() {
  const [jobs, setJobs] = useState(null);
  const [active, setActive] = useState(null);
  const [most, setMost] = useState(0);
  const [fileSize, setFileSize] = useState(0);
  const gone = useRef(new AbortController());
  const load = async () => {
    const held = await api.library("archive");
    setJobs(held.jobs);
    setMost(held.max_import_bytes);
    return held.jobs;
  };
  /** Follow what `begin` starts to its end; every failure is said and leaves the page as it was. */
  const run = async (begin) => {
    try {
      const ended = await poll(await begin(), setActive, gone.current.signal);
      if (!ended) return;
      if (ended.status === "finished" && ended.kind === "export" && ended.file) save(fileOf(ended));
      if (ended.status === "finished" && ended.kind === "import") listConversations();
    } catch (error) {
      notify({ failed: error });
    }
    setActive(null);
    load().catch((error) => notify({ failed: error }));
  };
  useEffect(() => {
    load().then(
      (found) => {
        const job = found.find((one) => one.status === "queued" || one.status === "running");
        if (job) run(async () => job);
      },
      (error) => notify({ failed: error }),
    );
    return () => gone.current.abort();
  }, []);
  const stop = () => end(active).catch((error) => notify({ failed: error }));
  const take = (file) =>
    run(() => {
      setFileSize(file.size);
      return send(file, setActive, gone.current.signal);
    });
  if (!jobs) return html`<p class="soft">${t("loading")}</p>`;
  return html`<div class="stack">
    ${active && isActive(active)
      ? html`<${TransferBar} job=${active} fileSize=${fileSize} onEnd=${stop} />`
      : html`
          <${ExportAll} begin=${(format) => run(() => requestExport({ format }))} />
          <${Import} most=${most} take=${take} />
        `}
    <${Past}
      jobs=${jobs.filter((job) => !isActive(job) && job.status !== "cancelled")}
      forget=${(job) => end(job).then(load, (error) => notify({ failed: error }))} />
    <${EraseAccount} />
  </div>`;
}

function ExportAll({ begin }) {
  const onSubmit = (event) => {
    event.preventDefault();
    begin(new FormData(event.currentTarget).get("format"));
  };
  return html`<form class="part" onSubmit=${onSubmit}>
    <h3>${t("export_all")}</h3>
    <p class="soft">${t("export_all_help")}</p>
    <div class="line">
      <select name="format" aria-label=${t("export_format")}>
        ${FORMATS.map((name) => html`<option key=${name} value=${name} selected=${name === "json"}>
          ${t(`format_${name}`)}
        </option>`)}
      </select>
      <button type="submit" class="button primary">${t("export_all_do")}</button>
    </div>
  </form>`;
}

function Import({ most, take }) {
  const field = useRef(null);
  const onChange = () => {
    const [file] = field.current.files;
    if (!file) return;
    if (file.size > most) notify({ failed: { message: t("import_too_large", { size: bytes(most) }) } });
    else if (!file.size) notify({ failed: { message: t("import_empty") } });
    else take(file);
    field.current.value = "";
  };
  return html`<div class="part">
    <h3>${t("import")}</h3>
    <p class="soft">${t("import_help")}</p>
    <input
      ref=${field}
      type="file"
      hidden
      accept=".json,.zip,application/json,application/zip"
      aria-label=${t("import_choose")}
      onChange=${onChange} />
    <div class="line">
      <button type="button" class="button" onClick=${() => field.current.click()}>${t("import_choose")}</button>
    </div>
  </div>`;
}

function Past({ jobs, forget }) {
  if (!jobs.length) return null;
  const when = new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "short" });
  return html`<div class="part">
    <h3>${t("jobs_past")}</h3>
    <ul class="entries">
      ${jobs.map((job) => html`<li key=${job.id}>
        <span>${outcome(job)}<span class="soft">${when.format(new Date(job.created_at))}</span></span>
        <button type="button" class="quiet strong" onClick=${() => forget(job)}>${t("jobs_forget")}</button>
        ${job.kind === "import" && html`<${ImportReport} job=${job} />`}
      </li>`)}
    </ul>
  </div>`;
}

function outcome(job) {
  if (job.status === "failed") return html`${t(`job_${job.kind}_failed`)} <${Failure} job=${job} />`;
  if (job.kind === "import") return t("import_done", job.result);
  return job.file
    ? html`<a href=${fileOf(job)} download>${job.file}</a> <span class="figures">${bytes(job.size)}</span>`
    : t("export_over");
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"];

function bytes(size) {
  const step = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, size)) / 10));
  const format = new Intl.NumberFormat(locale(), {
    style: "unit",
    unit: UNITS[step],
    unitDisplay: "short",
    maximumFractionDigits: 1,
  });
  return format.format(size / 1024 ** step);
}

function EraseAccount() {
  const [proof, setProof] = useState(null);
  const [wrong, setWrong] = useState("");
  const ask = () =>
    api.library("account").then(
      (held) => setProof(held.proof),
      (error) => notify({ failed: error }),
    );
  const erase = async (event) => {
    event.preventDefault();
    try {
      await api.addTo("account", { proof: new FormData(event.currentTarget).get("proof") });
      localStorage.clear();
      sessionStorage.clear();
      location.assign("/");
    } catch (error) {
      setWrong(error.code === "wrong_password" ? t("erase_wrong") : error.message || t("offline_short"));
    }
  };
  return html`<div class="part">
    <h3>${t("erase")}</h3>
    <p class="soft">${t("erase_help")}</p>
    ${proof
      ? html`<form class="stack" onSubmit=${erase}>
          <label>
            ${t(`erase_proof_${proof}`)}
            <input
              name="proof"
              type=${proof}
              required
              autocomplete=${proof === "password" ? "current-password" : "off"} />
          </label>
          ${wrong && html`<p class="trouble" role="alert">${wrong}</p>`}
          <div class="ends">
            <button
              type="button"
              class="button"
              onClick=${() => {
                setProof(null);
                setWrong("");
              }}>
              ${t("cancel")}
            </button>
            <button type="submit" class="button danger">${t("erase_do")}</button>
          </div>
        </form>`
      : html`<div class="line">
          <button type="button" class="button danger" onClick=${ask}>${t("erase_ask")}</button>
        </div>`}
  </div>`;
}
