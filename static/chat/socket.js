/**
 * The connection to the server: reconnects by itself, resumes every stream where it stopped, and repeats a question
 * until the server has said that it holds it (the same id twice is one generation, so repeating is safe).
 *
 * Knows frames and cursors, nothing of the page. Time, chance and WebSocket come in from outside, for the tests.
 */

/** WebSocket.OPEN */
const OPEN = 1;

/** First wait before connecting again; doubled each time, with jitter so that not all pages return at once. */
const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 20_000;

/** A silent connection is asked after this long; proxies commonly cut idle ones after 60 s. */
const PING_AFTER_MS = 25_000;

/** No answer to a ping for this long: the network is gone without having said so. */
const PONG_WITHIN_MS = 10_000;

/** Received text is acknowledged about this often, in characters: well inside the server's window per stream. */
const ACK_EVERY_CHARS = 8_192;

/** Closed for a reason that connecting again does not mend. 4429 is mended by waiting. */
const SIGNED_OUT = 4401;
const FINAL_CODES = new Set([SIGNED_OUT, 4403]);
const FLOODED = 4429;

/**
 * Closed because of what was sent, and the refusal that it amounts to: broken Unicode, over 1 MiB.
 * @type {Record<number, Wire.Code>}
 */
const UNREADABLE = { 1007: "forbidden_text", 1009: "too_long" };

/** A stream that broke on the server is followed again after this long. */
const BROKEN_MS = 1_000;

export class ChatSocket {
  /** @param {Page.SocketOptions} options */
  constructor({ url, onFrame, onConnection, cursors, ...outside }) {
    const { outbox = new Map(), Socket = WebSocket, clock = globalThis, random = Math.random } = outside;
    this.url = url;
    this.onFrame = onFrame;
    this.onConnection = onConnection;
    this.cursors = cursors;
    this.outbox = outbox;
    this.Socket = Socket;
    this.clock = clock;
    this.random = random;
    this.failures = 0;
    this.unacknowledged = new Map();
    this.socket = null;
    this.ready = false;
  }

  connect() {
    this.clock.clearTimeout(this.retryTimer);
    if (this.socket) return;
    const socket = new this.Socket(this.url);
    this.socket = socket;
    socket.onmessage = (event) => this.socket === socket && this.received(JSON.parse(event.data));
    socket.onclose = (event) => this.socket === socket && this.closed(event.code);
    this.watch();
  }

  /** Try now instead of when the back-off ends: the network came back, or the page is shown again. */
  connectNow() {
    if (!this.socket && !this.over) this.connect();
    else if (this.ready) this.ping();
  }

  /** The system says that the network is gone. It is tried all the same: the server may be on this machine. */
  networkLost() {
    if (this.socket) this.abandon();
  }

  /** The network is back: an attempt that began without it is not waited for. */
  networkBack() {
    if (this.socket && !this.ready) this.abandon();
    this.connectNow();
  }

  /**
   * Ask something that must not be lost: kept until accepted or rejected, across reconnects.
   * @param {Page.Question} frame
   */
  ask(frame) {
    this.outbox.set(frame.id, frame);
    this.send(frame);
  }

  cancel(generation) {
    this.send({ type: "cancel", generation });
  }

  follow(generation, after) {
    this.unacknowledged.set(generation, 0);
    this.send({ type: "follow", generation, after });
  }

  /** @param {Wire.ClientFrame} frame */
  send(frame) {
    if (this.ready && this.socket.readyState === OPEN) this.socket.send(JSON.stringify(frame));
  }

  /** @param {Wire.ServerFrame} frame */
  received(frame) {
    this.watch();
    if (frame.type === "hello") this.greeted();
    const asked = "id" in frame ? this.outbox.get(frame.id) : undefined;
    if (frame.type === "accepted" || frame.type === "rejected") this.outbox.delete(frame.id);
    this.onFrame(frame, asked);
    if (frame.type === "hello") this.resume();
    if (frame.type === "delta") this.acknowledge(frame);
    if (frame.type === "error" && frame.code === "engine_unavailable")
      this.clock.setTimeout(() => this.resume(), BROKEN_MS);
    if (frame.type === "finished") this.unacknowledged.delete(frame.generation);
  }

  greeted() {
    this.ready = true;
    this.failures = 0;
  }

  /** Follow what was running from where it stopped, then repeat what was not accepted. */
  resume() {
    this.unacknowledged.clear();
    for (const { generation, after } of this.cursors()) this.follow(generation, after);
    for (const frame of this.outbox.values()) this.send(frame);
  }

  /** @param {Wire.DeltaFrame} frame */
  acknowledge({ generation, seq, text, reasoning }) {
    const due = (this.unacknowledged.get(generation) ?? 0) + text.length + (reasoning?.length ?? 0);
    if (due >= ACK_EVERY_CHARS) this.follow(generation, seq);
    else this.unacknowledged.set(generation, due);
  }

  /** Any frame proves that the connection lives; silence leads to a ping, an unanswered ping to a new connection. */
  watch() {
    this.clock.clearTimeout(this.silenceTimer);
    this.silenceTimer = this.clock.setTimeout(() => this.ping(), PING_AFTER_MS);
  }

  ping() {
    this.send({ type: "ping" });
    this.clock.clearTimeout(this.silenceTimer);
    this.silenceTimer = this.clock.setTimeout(() => this.abandon(), PONG_WITHIN_MS);
  }

  abandon() {
    const { socket } = this;
    this.closed(1006);
    socket?.close();
  }

  closed(code) {
    this.clock.clearTimeout(this.silenceTimer);
    // Another tab may have renewed this browser's session, by a new password: its cookie is tried once.
    if (code === SIGNED_OUT && this.ready) code = 1006;
    this.socket = null;
    this.ready = false;
    if (UNREADABLE[code]) this.rejectAll(UNREADABLE[code]);
    if (FINAL_CODES.has(code)) {
      this.over = true;
      this.onConnection({ state: "closed", code });
      return;
    }
    this.onConnection({ state: "offline", code });
    this.retryTimer = this.clock.setTimeout(() => this.connect(), this.backOff(code));
  }

  /** What the server's socket layer could not take must not be sent again and again. */
  rejectAll(code) {
    for (const frame of [...this.outbox.values()])
      this.received({ type: "rejected", id: frame.id, code, message: "" });
    this.clock.clearTimeout(this.silenceTimer);
  }

  backOff(code) {
    const longest = Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** this.failures);
    this.failures += 1;
    return code === FLOODED ? RETRY_MOST_MS : longest * (0.5 + this.random() / 2);
  }
}
