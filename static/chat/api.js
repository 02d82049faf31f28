/** The site's HTTP interface as functions. Every failure is an `ApiError` with the server's code and words. */

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

const csrfToken = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

async function call(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body), credentials: "same-origin" });
  } catch {
    throw new ApiError(0, "offline", "");
  }
  if (response.status === 204) return null;
  const data = await response.json().catch(() => null);
  if (response.ok && data) return data;
  throw new ApiError(response.status, data?.error?.code ?? "unexpected", data?.error?.message ?? "");
}

const at = (id) => `/api/conversations/${encodeURIComponent(id)}`;

export const listConversations = (before) =>
  call("GET", before ? `/api/conversations?before=${encodeURIComponent(before)}` : "/api/conversations");
export const search = (text, before) =>
  call("GET", `/api/search?${new URLSearchParams(before ? { q: text, before } : { q: text })}`);
export const getConversation = (id) => call("GET", at(id));
export const patchConversation = (id, fields) => call("PATCH", at(id), fields);
export const deleteConversation = (id) => call("DELETE", at(id));
export const restoreConversation = (id) => call("POST", `${at(id)}/restore`);
