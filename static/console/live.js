// The Live page: the server sends its middle anew every two seconds. Focus stays where it was.

const now = document.querySelector("#now");
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 15000;
const NOT_STAFF = 4403;
let retry = FIRST_RETRY_MS;

function show(html) {
  const focused = /** @type {HTMLInputElement} */ (document.activeElement);
  const { name, value } = now.contains(focused) ? focused : { name: "", value: "" };
  now.innerHTML = html;
  if (name) now.querySelector(`[name="${CSS.escape(name)}"][value="${CSS.escape(value)}"]`)?.focus();
}

function watch() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/ws/console/?language=${document.documentElement.lang}`);
  socket.onmessage = ({ data }) => {
    retry = FIRST_RETRY_MS;
    show(data);
  };
  socket.onclose = ({ code }) => {
    if (code === NOT_STAFF) location.reload();
    else setTimeout(watch, retry);
    retry = Math.min(LONGEST_RETRY_MS, retry * 2);
  };
}

watch();
