import { activeIn, cursors, initialState, LOCAL, reduce, titleOf } from "/static/chat/reducer.js";
import { branch } from "/static/chat/tree.js";
import { chance, cut, equal, ok } from "./check.js";

const run = (events, state = initialState) => events.reduce(reduce, state);
const asked = { type: "sent", id: "x", conversation: null, parent: null, content: "Why?", at: 1 };
const accepted = { type: "accepted", id: "x", conversation: "c", message: "q", answer: "a", generation: "g" };
const usage = { prompt_tokens: 3, completion_tokens: 2 };
const finished = (seq) => ({ type: "finished", generation: "g", seq, finish_reason: "stop", usage });
const delta = (seq, text) => ({ type: "delta", generation: "g", seq, text });
const streaming = () => run([asked, accepted]);
const text = (state) => state.generations.g.text;
const row = (status, seq, content) => ({
  type: "loaded",
  conversation: {
    id: "c",
    title: "Why?",
    pinned: false,
    leaf: "a",
    messages: [
      { id: "q", parent: null, role: "user", content: "Why?", generation: null },
      {
        id: "a",
        parent: "q",
        role: "assistant",
        content,
        generation: { id: "g", status, seq, finish_reason: null, message: "", usage: {} },
      },
    ],
  },
});

export const tests = {
  "a question is shown before the server has it": () => {
    const state = run([asked]);
    const path = branch(state.conversations[state.current].tree);
    equal(
      path.map((one) => one.role),
      ["user", "assistant"],
    );
    ok(activeIn(state, state.current).local);
    equal(cursors(state), []);
  },
  "a record that is ahead of the stream does not make joined text come twice": () => {
    const events = [delta(1, "a"), row("running", 3, "abc"), delta(4, "bcd"), delta(5, "e")];
    equal(text(run(events, streaming())), "abcde");
  },
  "a question asked before a reload streams from its first word, whenever its conversation is read": () => {
    const events = [accepted, delta(1, "a"), row("running", 2, "ab"), delta(3, "bc"), finished(4)];
    for (let at = 1; at < events.length; at += 1) {
      const order = events.filter((one) => one.type !== "loaded");
      order.splice(at, 0, row("running", 2, "ab"));
      equal(text(run(order)), "abc");
    }
  },
  "accepting gives everything its id and keeps the keys of the page": () => {
    const before = branch(run([asked]).conversations[`${LOCAL}x`].tree).map((one) => one.key);
    const state = streaming();
    equal(state.current, "c");
    equal(
      branch(state.conversations.c.tree).map((one) => [one.id, one.key]),
      [
        ["q", before[0]],
        ["a", before[1]],
      ],
    );
    equal(cursors(state), [{ generation: "g", after: 0 }]);
    equal(state.list.items[0].title, "Why?");
    equal(Object.keys(state.generations), ["g"]);
  },
  "a refused question leaves nothing behind but its reason": () => {
    const state = run([asked, { type: "rejected", id: "x", code: "queue_full", message: "Full.", retry_after_s: 4 }]);
    equal([state.current, state.conversations, state.generations], [null, {}, {}]);
    equal([state.refusal.code, state.refusal.retryAfter, state.refusal.content], ["queue_full", 4, "Why?"]);
  },
  "an estimate that was missed is not renewed by saying soon again": () => {
    const told = (eta, at) => ({ type: "queued", generation: "g", position: 2, eta_s: eta, at });
    const held = (events) => {
      const { position, eta, eta_at: since } = run(events, streaming()).generations.g;
      return [position, eta, since];
    };
    equal(held([told(4, 1_000), told(0.3, 4_000)]), [2, 0.3, 4_000]);
    equal(held([told(4, 1_000), told(0.3, 6_000), told(0.5, 8_000)]), [2, 4, 1_000]);
    equal(held([told(4, 1_000), told(9, 6_000)]), [2, 9, 6_000]);
    equal(held([told(4, 1_000), told(null, 6_000)]), [2, null, 6_000]);
  },
  "text that is known is dropped": () =>
    equal(text(run([delta(1, "one "), delta(1, "one "), delta(3, "two"), delta(2, "no")], streaming())), "one two"),
  "a snapshot replaces what is held": () =>
    equal(
      text(
        run(
          [delta(1, "on"), { type: "snapshot", generation: "g", seq: 4, text: "one two" }, delta(5, "!")],
          streaming(),
        ),
      ),
      "one two!",
    ),
  "an older one does too: what lies between was never stored": () =>
    equal(text(run([delta(9, "all"), { type: "snapshot", generation: "g", seq: 4, text: "al" }], streaming())), "al"),
  "after the end nothing is added": () => {
    const state = run([delta(1, "done"), finished(2), delta(3, " more")], streaming());
    equal([text(state), state.generations.g.status, cursors(state)], ["done", "finished", []]);
  },
  "every finish reason has a status": () => {
    for (const reason of ["stop", "length", "cancelled", "timeout", "interrupted", "error"]) {
      ok(run([{ ...finished(1), finish_reason: reason }], streaming()).generations.g.status, reason);
    }
  },
  "a record behind the stream does not take text away": () =>
    equal(text(run([delta(5, "five words"), row("running", 3, "five")], streaming())), "five words"),
  "a record of the end ends it": () =>
    equal(run([delta(5, "five"), row("cancelled", 6, "five!")], streaming()).generations.g.status, "cancelled"),
  "a late record does not reopen what has ended": () =>
    equal(run([delta(5, "five"), finished(6), row("running", 3, "fi")], streaming()).generations.g.status, "finished"),
  "answering again makes a sibling that is shown": () => {
    const done = run([delta(1, "a"), finished(2)], streaming());
    const again = run(
      [{ type: "regenerating", id: "y", conversation: "c", question: "q", message: "a", at: 2 }],
      done,
    );
    equal(
      branch(again.conversations.c.tree).map((one) => one.id),
      ["q", `${LOCAL}y:answer`],
    );
    const refused = run([{ type: "rejected", id: "y", code: "rate_limited", message: "" }], again);
    equal(
      branch(refused.conversations.c.tree).map((one) => one.id),
      ["q", "a"],
    );
  },
  "unknown events change nothing": () => ok(run([{ type: "from_the_future" }]) === initialState),
  "titles are those of the server": () => {
    equal(titleOf("  one\n two "), "one two");
    equal(titleOf("x".repeat(61)), `${"x".repeat(59)}…`);
  },
  "drops, repeats and joined deltas still give the text, whatever is lost on the way": () => {
    const whole = "The quick brown fox. 敏捷的棕色狐狸跳过了懒狗。".repeat(9);
    for (let seed = 1; seed <= 200; seed += 1) {
      const random = chance(seed);
      const log = cut(whole, random).map((part, index) => delta(index + 1, part));
      let state = streaming();
      let sent = 0;
      while (sent < log.length) {
        const { after } = cursors(state)[0];
        sent = Math.max(0, after - Math.floor(random() * 3));
        const upTo = Math.min(log.length, sent + 1 + Math.floor(random() * 25));
        const joined = [];
        for (; sent < upTo; sent += 1) {
          const last = joined.at(-1);
          if (last && last.seq > after && random() < 0.3)
            Object.assign(last, delta(sent + 1, last.text + log[sent].text));
          else joined.push({ ...log[sent] });
        }
        state = run(joined, state);
        sent = cursors(state)[0].after;
      }
      equal(text(run([finished(log.length + 1)], state)), whole, `seed ${seed}`);
    }
  },

  "a list that was asked for before a conversation began does not take it away"() {
    const begun = { id: "new", title: "New", updated_at: 2_000 };
    const older = { id: "old", title: "Old", updated_at: "2026-11-01T00:00:00Z" };
    const held = { ...initialState, list: { ...initialState.list, items: [begun, older] } };
    const page = { type: "listed", conversations: [], next: null, folders: [] };
    equal(reduce(held, { ...page, since: 1_000 }).list.items, [begun]);
    equal(reduce(held, { ...page, since: 3_000 }).list.items, []);
  },
};
