import { upload } from "/static/chat/lazy/upload.js";
import { equal, ok } from "./check.js";

const PIECE = 4;

/** A server that holds bytes; `fail(request)` may throw first. */
function server({ fail = () => {} } = {}) {
  const held = { bytes: "", calls: [] };
  const api = {
    async beginUpload(name, size) {
      held.calls.push("begin");
      fail("begin", held);
      return { id: "d", name, size, piece_bytes: PIECE };
    },
    async putPiece(id, offset, piece) {
      held.calls.push(`put ${offset}`);
      fail("put", held);
      held.bytes = held.bytes.slice(0, offset) + (await piece.text());
      return { received: held.bytes.length };
    },
    async completeUpload() {
      held.calls.push("complete");
      return { id: "d", status: "ready" };
    },
  };
  return { held, api };
}

const offline = () => Object.assign(new Error(), { status: 0 });
const file = new File(["0123456789"], "a.txt");
const run = (api, more = {}) => {
  const progress = [];
  const waits = [];
  const options = {
    onBegin: () => {},
    onProgress: (sent) => progress.push(sent),
    api,
    wait: async (ms) => waits.push(ms),
    ...more,
  };
  return upload(file, options).then((done) => ({ done, progress, waits }));
};

export const tests = {
  "a file goes in pieces, then is read": async () => {
    const { held, api } = server();
    const { done, progress } = await run(api);
    equal(held.bytes, "0123456789");
    equal(progress, [4, 8, 10]);
    equal(held.calls.at(-1), "complete");
    equal(done.status, "ready");
  },
  "a piece that found no network is sent again, and no other": async () => {
    let left = 3;
    const { held, api } = server({
      fail: (what, { calls }) => {
        if (calls.at(-1) === "put 4" && left-- > 0) throw offline();
      },
    });
    const { waits } = await run(api);
    equal(held.bytes, "0123456789");
    equal(held.calls.filter((one) => one === "put 4").length, 4);
    equal(held.calls.filter((one) => one === "put 0").length, 1);
    equal(waits, [500, 1000, 2000]);
  },
  "what the server refuses is not tried again": async () => {
    const { held, api } = server({
      fail: () => {
        throw Object.assign(new Error(), { status: 413, code: "too_long" });
      },
    });
    const refused = await run(api).then(
      () => null,
      (error) => error,
    );
    equal([refused.code, held.calls], ["too_long", ["begin"]]);
  },
  "a network that never comes back ends it": async () => {
    const { held, api } = server({
      fail: () => {
        throw offline();
      },
    });
    const refused = await run(api).then(
      () => null,
      (error) => error,
    );
    equal(refused.status, 0);
    ok(held.calls.length > 10);
  },
  "taken out, it ends at once": async () => {
    const ender = new AbortController();
    const { held, api } = server({
      fail: (what) => {
        if (what === "put") {
          ender.abort();
          throw offline();
        }
      },
    });
    await run(api, { signal: ender.signal }).then(
      () => ok(false),
      () => {},
    );
    equal(held.calls, ["begin", "put 0"]);
  },
};
