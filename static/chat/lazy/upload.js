/**
 * One file on its way to the server: in pieces, each repeated until it has arrived, then read. Knows nothing of the
 * page; requests and waiting come in from outside, for the tests.
 */

import * as http from "../api.js";

/** A piece that found no network is sent again after this long, doubled each time. */
const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 15_000;

/** Ten minutes without a network: then the person decides. */
const MOST_RETRIES = 40;

const rest = (ms) => new Promise((done) => setTimeout(done, ms));

/**
 * Send `file` and have it read. `onProgress(bytes)` after each piece; `signal` ends it.
 * Resolves to the document as the server has it; rejects with an ApiError.
 */
export async function upload(file, { onBegin, onProgress, signal, api = http, wait = rest }) {
  const begun = await withRetries(() => api.beginUpload(file.name, file.size, signal), signal, wait);
  onBegin(begun.id);
  let sent = 0;
  while (sent < file.size) {
    const piece = file.slice(sent, sent + begun.piece_bytes);
    ({ received: sent } = await withRetries(() => api.putPiece(begun.id, sent, piece, signal), signal, wait));
    onProgress(sent);
  }
  return withRetries(() => api.completeUpload(begun.id, signal), signal, wait);
}

/** No network is waited for; what the server says is final. */
async function withRetries(request, signal, wait) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await request();
    } catch (error) {
      if (signal?.aborted || error.status !== 0 || tries >= MOST_RETRIES) throw error;
      await wait(Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** tries));
    }
  }
}
