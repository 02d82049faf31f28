/** The site's HTTP interface as functions. Every failure is an `ApiError` with the server's code and words. */

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

let csrfToken = "";

export const setCsrfToken = (token) => {
  csrfToken = token;
};

/**
 * `body` is JSON, or a Blob that goes as it is.
 * @type {(method: string, path: string, body?: any, options?: RequestInit) => Promise<any>}
 */
async function call(method, path, body, { keepalive = false, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken;
  const raw = body instanceof Blob;
  if (body) headers["Content-Type"] = raw ? "application/octet-stream" : "application/json";
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: raw ? body : body && JSON.stringify(body),
      credentials: "same-origin",
      keepalive,
      signal,
    });
  } catch {
    throw new ApiError(0, "offline", "");
  }
  if (response.status === 204) return null;
  const data = await response.json().catch(() => null);
  if (response.ok && data) return data;
  throw new ApiError(response.status, data?.error?.code ?? "unexpected", data?.error?.message ?? "");
}

const at = (id) => `/api/conversations/${encodeURIComponent(id)}`;

/** @type {(before: string | null, view: Page.ListView) => Promise<Api.ConversationPage>} */
export function listConversations(before, { archived, folder }) {
  const query = new URLSearchParams();
  if (before) query.set("before", before);
  if (archived) query.set("archived", "1");
  if (folder) query.set("folder", folder);
  return call("GET", `/api/conversations?${query}`);
}
/** `fields` are `archived` or `folder`. @type {(ids: string[], fields: Omit<Api.Filed, "ids">) => Promise<null>} */
export const changeMany = (ids, fields) => call("POST", "/api/conversations/change", { ids, ...fields });
export const deleteMany = (ids) => call("POST", "/api/conversations/delete", { ids });
export const restoreMany = (ids) => call("POST", "/api/conversations/restore", { ids });
/** @type {(id: string, content: Api.Words["content"]) => Promise<Api.MessageItem>} */
export const editAnswer = (id, content) => call("POST", `/api/messages/${id}/edit`, { content });
/** With all that follows it; `{count}` messages went. */
export const deleteMessage = (id) => call("DELETE", `/api/messages/${id}`);
export const restoreMessage = (id) => call("POST", `/api/messages/${id}/restore`);
/** @type {(id: string, value: Api.Rating["value"], comment: string) => Promise<null>} */
export const rate = (id, value, comment) => call("PUT", `/api/messages/${id}/feedback`, { value, comment });
export const library = (name) => call("GET", `/api/${name}`);
export const addTo = (name, entry) => call("POST", `/api/${name}`, entry);
export const changeIn = (name, id, entry) => call("PUT", `/api/${name}/${id}`, entry);
export const removeFrom = (name, id) => call("DELETE", `/api/${name}/${id}`);
export const noticesSeen = () => call("POST", "/api/usage/notices/seen");
/** @type {(fields: Api.InstructionsForm) => Promise<null>} */
export const saveInstructions = (fields) => call("PUT", "/api/instructions", fields);
/** @type {(text: string, before: string | null) => Promise<Api.SearchPage>} */
export const search = (text, before) =>
  call("GET", `/api/search?${new URLSearchParams(before ? { q: text, before } : { q: text })}`);
/** @type {(id: string) => Promise<Api.OpenedConversation>} */
export const getConversation = (id) => call("GET", at(id));
/** @type {(id: string, fields: Api.Change) => Promise<Api.ConversationItem>} */
export const patchConversation = (id, fields) => call("PATCH", at(id), fields);
/** Said while the page goes away: the request outlives it. */
export const leaveTemporary = (id) => call("DELETE", at(id), undefined, { keepalive: true });

/** @type {(name: string, size: number, signal: AbortSignal) => Promise<Api.BegunUpload>} */
export const beginUpload = (name, size, signal) => call("POST", "/api/attachments", { name, size }, { signal });
export const putPiece = (id, offset, piece, signal) =>
  call("PUT", `/api/attachments/${id}?offset=${offset}`, piece, { signal });
/** @type {(id: string, signal: AbortSignal) => Promise<Api.DocumentItem>} */
export const completeUpload = (id, signal) => call("POST", `/api/attachments/${id}/complete`, undefined, { signal });
/** Read again in another encoding. @type {(id: string, encoding: string) => Promise<Api.DocumentItem>} */
export const chooseEncoding = (id, encoding) => call("PUT", `/api/attachments/${id}/encoding`, { encoding });
export const forgetUpload = (id) => call("DELETE", `/api/attachments/${id}`);
export const documentText = (id) => call("GET", `/api/attachments/${id}/text`);
export const fileOf = (id) => `/api/attachments/${id}/file`;

/** @type {(batch: Api.NewBatch) => Promise<Api.BatchItem>} */
export const beginBatch = (batch) => call("POST", "/api/batches", batch);
/** @type {(id: string) => Promise<Api.BatchItem>} */
export const getBatch = (id) => call("GET", `/api/batches/${id}`);
/** @type {(id: string, items: Api.Which["items"]) => Promise<Api.BatchItem>} */
export const cancelItems = (id, items) => call("POST", `/api/batches/${id}/cancel`, { items });
/** @type {(id: string, items: Api.Which["items"]) => Promise<Api.BatchItem>} */
export const retryItems = (id, items) => call("POST", `/api/batches/${id}/retry`, { items });
export const resultsOf = (id, form) => `/api/batches/${id}/results.${form}`;

const TOO_LONG = 413;

/** Whether the server makes this export while one waits: a long conversation's is a job's work. */
export const isAtOnce = (address) => fetch(address, { method: "HEAD" }).then(({ status }) => status !== TOO_LONG);

/** The next bytes of an import. @type {(job: string, offset: number, part: Blob) => Promise<Api.JobItem>} */
export const putPart = (job, offset, part) => call("PUT", `/api/archive/${job}/data?offset=${offset}`, part);
