/** Exports and imports under way: asked for, watched until they end, saved or sent. No markup here. */

import * as api from "../api.js";

/** Often enough to look alive; a job writes its progress twice a second. */
const POLL_MS = 600;

/** Small enough that the server, which takes a request as a whole, feels none of them. */
const PART_BYTES = 512 * 1024;

/** Made while one waits for the answer, unless the conversation is long; the others are jobs. */
const AT_ONCE = new Set(["json", "markdown"]);

export const FORMATS = ["markdown", "pdf", "docx", "html", "json"];

export const isActive = (job) => ["receiving", "queued", "running"].includes(job?.status);

/** How much is done, from 0 to 1, or null where nothing is known yet. */
export function share({ status, done, total, size }, fileSize) {
  if (status === "receiving") return fileSize ? size / fileSize : null;
  return total ? done / total : null;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The job when it has ended; `onProgress` gets it each time it is polled. Null when `signal` is aborted. */
export async function poll(job, onProgress, signal) {
  for (let seen = job; ; seen = await api.library(`archive/${job.id}`)) {
    if (signal?.aborted) return null;
    onProgress(seen);
    if (!isActive(seen)) return seen;
    await pause(POLL_MS);
  }
}

export const requestExport = (wanted) => api.addTo("archive/exports", wanted);
export const end = (job) => api.removeFrom("archive", job.id);
export const fileOf = (job) => `/api/archive/${job.id}/file`;

/** The address of a document that needs no job where the conversation is short, or null. */
export function addressOf({ format, conversation, leaf }) {
  if (!AT_ONCE.has(format)) return null;
  const query = new URLSearchParams({ format });
  if (leaf) query.set("leaf", leaf);
  return `/api/conversations/${conversation}/export?${query}`;
}

/** Have the browser save what an address answers; the answer names the file. */
export function save(address) {
  const link = document.createElement("a");
  link.href = address;
  link.download = "";
  document.body.append(link);
  link.click();
  link.remove();
}

/** Send a file in parts, each when the one before it is kept; gives the job that imports it. */
export async function send(file, onProgress, signal) {
  let job = await api.addTo("archive/imports", { size: file.size });
  for (let offset = 0; offset < file.size && !signal?.aborted; offset += PART_BYTES) {
    onProgress(job);
    job = await api.putPart(job.id, offset, file.slice(offset, offset + PART_BYTES));
  }
  return job;
}
