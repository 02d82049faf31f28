import { ChatSocket } from "/static/chat/socket.js";
import { equal, ok } from "./check.js";

/** Time that passes only when told to. */
class Clock {
  constructor() {
    this.now = 0;
    this.timers = new Map();
    this.next = 1;
  }

  setTimeout(action, delay) {
    this.timers.set(this.next, { at: this.now + delay, action });
    return this.next++;
  }

  clearTimeout(id) {
    this.timers.delete(id);
  }

  pass(delay) {
    const end = this.now + delay;
    for (;;) {
      const due = [...this.timers].filter(([, one]) => one.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.timers.delete(due[0]);
      this.now = due[1].at;
      due[1].action();
    }
    this.now = end;
  }
}

class Wire {
  constructor(url) {
    Object.assign(this, { url, readyState: 1, sent: [] });
    Wire.made.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  bring(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }

  drop(code = 1006) {
    this.readyState = 3;
    this.onclose({ code });
  }
}

const hello = { type: "hello", version: 1, engine: { state: "ready" }, max_content_chars: 9, active: [] };

function begin(cursors = () => []) {
  Wire.made = [];
  const clock = new Clock();
  const frames = [];
  const states = [];
  const outbox = new Map();
  const socket = new ChatSocket({
    url: "ws://x/",
    Socket: Wire,
    clock,
    random: () => 1,
    cursors,
    outbox,
    onFrame: (frame) => frames.push(frame),
    onConnection: (one) => states.push(one),
  });
  socket.connect();
  return { socket, clock, frames, states, outbox, last: () => Wire.made.at(-1) };
}

const submit = { type: "submit", id: "x", content: "Why?", conversation: null, parent: null };
const ofType = (wire, type) => wire.sent.filter((frame) => frame.type === type);

export const tests = {
  "a network that is lost is said at once, and one that is back is used at once": () => {
    const { socket, clock, states, last } = begin();
    last().bring(hello);
    socket.networkLost();
    equal(
      states.map((one) => one.state),
      ["offline"],
    );
    const made = Wire.made.length;
    clock.pass(30_000);
    ok(Wire.made.length > made, "it is tried all the same");
    const hung = last();
    socket.networkBack();
    ok(last() !== hung && hung.readyState === 3, "an attempt without a network is not waited for");
    last().bring(hello);
    const live = last();
    socket.networkBack();
    equal([last() === live, ofType(live, "ping").length], [true, 1]);
  },
  "nothing is sent before the server's hello": () => {
    const { socket, last } = begin();
    socket.ask(submit);
    equal(last().sent, []);
    last().bring(hello);
    equal(last().sent, [submit]);
  },
  "a question is repeated after every reconnect until it is accepted": () => {
    const { socket, clock, last, outbox } = begin();
    last().bring(hello);
    socket.ask(submit);
    last().drop();
    clock.pass(500);
    last().bring(hello);
    equal(ofType(last(), "submit"), [submit]);
    last().bring({ type: "accepted", id: "x", conversation: "c", message: "q", answer: "a", generation: "g" });
    last().drop();
    clock.pass(500);
    last().bring(hello);
    equal(last().sent, []);
    equal(outbox.size, 0);
  },
  "streams go on from their cursors": () => {
    let after = 0;
    const { clock, last } = begin(() => [{ generation: "g", after }]);
    last().bring(hello);
    after = 41;
    last().drop();
    clock.pass(500);
    last().bring(hello);
    equal(last().sent, [{ type: "follow", generation: "g", after: 41 }]);
  },
  "the wait doubles, has a longest, and starts again after success": () => {
    const { clock, last } = begin();
    for (const wait of [500, 1000, 2000, 4000, 8000, 16000, 20000, 20000]) {
      const wires = Wire.made.length;
      last().drop();
      clock.pass(wait - 1);
      equal(Wire.made.length, wires, `before ${wait} ms`);
      clock.pass(1);
      equal(Wire.made.length, wires + 1, `after ${wait} ms`);
    }
    last().bring(hello);
    last().drop();
    clock.pass(500);
    equal(Wire.made.length, 10);
  },
  "received text is acknowledged now and then": () => {
    const { last } = begin();
    last().bring(hello);
    for (let seq = 1; seq <= 100; seq += 1)
      last().bring({ type: "delta", generation: "g", seq, text: "x".repeat(200) });
    const acknowledged = ofType(last(), "follow");
    equal(acknowledged, [
      { type: "follow", generation: "g", after: 41 },
      { type: "follow", generation: "g", after: 82 },
    ]);
  },
  "signed out or deactivated ends it": () => {
    for (const code of [4401, 4403]) {
      const { clock, last, states } = begin();
      last().drop(code);
      clock.pass(60_000);
      equal([Wire.made.length, states.at(-1)], [1, { state: "closed", code }]);
    }
  },
  "a session that was renewed in another tab is tried once": () => {
    const { clock, last, states } = begin();
    last().bring(hello);
    last().drop(4401);
    clock.pass(1_000);
    equal([Wire.made.length, states.at(-1)], [2, { state: "offline", code: 1006 }]);
    last().drop(4401);
    clock.pass(60_000);
    equal([Wire.made.length, states.at(-1)], [2, { state: "closed", code: 4401 }]);
  },
  "too many sockets waits long": () => {
    const { clock, last } = begin();
    last().drop(4429);
    clock.pass(19_999);
    equal(Wire.made.length, 1);
    clock.pass(1);
    equal(Wire.made.length, 2);
  },
  "what closed the connection is given back, not sent again": () => {
    for (const [code, reason] of [
      [1009, "too_long"],
      [1007, "forbidden_text"],
    ]) {
      const { socket, clock, last, frames, outbox } = begin();
      last().bring(hello);
      socket.ask(submit);
      last().drop(code);
      equal([frames.at(-1).type, frames.at(-1).code, outbox.size], ["rejected", reason, 0]);
      clock.pass(500);
      last().bring(hello);
      equal(last().sent, []);
    }
  },
  "a dead connection is found by its silence": () => {
    const { clock, last, states } = begin();
    last().bring(hello);
    clock.pass(25_000);
    equal(ofType(last(), "ping").length, 1);
    last().bring({ type: "pong" });
    clock.pass(25_000);
    clock.pass(10_000);
    equal(states.at(-1).state, "offline");
    clock.pass(500);
    equal(Wire.made.length, 2);
  },
  "a late message of an abandoned connection is not heard": () => {
    const { clock, frames, last } = begin();
    const old = last();
    old.bring(hello);
    clock.pass(35_000);
    const heard = frames.length;
    old.bring({ type: "pong" });
    equal(frames.length, heard);
  },
  "a stream that broke on the server is followed again": () => {
    const { clock, last } = begin(() => [{ generation: "g", after: 3 }]);
    last().bring(hello);
    last().bring({ type: "error", code: "engine_unavailable", message: "" });
    clock.pass(1_000);
    equal(ofType(last(), "follow").length, 2);
  },
  "coming back hurries": () => {
    const { socket, last } = begin();
    last().drop();
    socket.connectNow();
    ok(Wire.made.length === 2);
  },
};
