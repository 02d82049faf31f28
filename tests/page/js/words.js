import { grouped, groupOf } from "/static/chat/days.js";
import { Drafts, Outbox } from "/static/chat/drafts.js";
import { moment, ordinal, roughly, seconds, speed, waitWords } from "/static/chat/format.js";
import { grammarOf } from "/static/chat/lazy/highlight.js";
import { LANGUAGES, loadLanguage, t } from "/static/chat/i18n.js";
import { equal, ok } from "./check.js";

const NOW = new Date("2026-03-15T09:30:00").getTime();
const item = (days, pinned = false) => ({
  id: String(days),
  pinned,
  updated_at: new Date(NOW - days * 86_400_000).toISOString(),
});

class Full {
  getItem() {
    return null;
  }

  setItem() {
    throw new Error("full");
  }
}

/** File formats go by the same name in every language. */
const NAMES = new Set([
  "encoding_utf-8",
  "encoding_utf-16le",
  "encoding_utf-16be",
  "format_markdown",
  "format_json",
  "format_pdf",
  "format_docx",
]);

const [en, zh] = await Promise.all(
  ["en", "zh-hans"].map(async (code) => {
    const { load, loadMore } = LANGUAGES[code];
    return { ...(await load()).words, ...(await loadMore()).words };
  }),
);

export const tests = {
  "both languages have the same keys, of the same kind": () => {
    equal(Object.keys(zh).sort(), Object.keys(en).sort());
    const names = (text) => (typeof text === "string" ? (text.match(/\{\w+\}/g) ?? []).sort() : null);
    for (const [key, text] of Object.entries(en)) {
      if (typeof text === "string" && typeof zh[key] === "string") equal(names(zh[key]), names(text), key);
    }
  },
  "nothing in Chinese was left in English": () => {
    for (const [key, text] of Object.entries(zh))
      if (typeof text === "string" && !NAMES.has(key)) ok(/[\u4e00-\u9fff]|^\{/.test(text), key);
  },
  "every code of the wire has words": () => {
    const codes = [
      "empty",
      "too_long",
      "forbidden_text",
      "rate_limited",
      "quota_exceeded",
      "queue_full",
      "engine_unavailable",
      "storage_full",
      "not_found",
      "not_in_plan",
      "bad_frame",
    ];
    const states = ["starting", "restarting", "failed", "paused", "draining", "down"];
    const ends = ["cancelled", "timed_out", "interrupted", "failed"];
    const closes = [1007, 1009, 4401, 4403, 4429];
    const keys = [
      codes.map((one) => `refused_${one}`),
      states.flatMap((one) => [`engine_${one}`, `wait_${one}`, `welcome_${one}`]),
      ends.map((one) => `ended_${one}`),
      closes.map((one) => `closed_${one}`),
    ];
    for (const key of keys.flat()) ok(key in en, key);
  },
  "the line is told as people tell it": async () => {
    equal([1, 2, 3, 4, 11, 12, 13, 21, 112].map(ordinal), [
      "1st",
      "2nd",
      "3rd",
      "4th",
      "11th",
      "12th",
      "13th",
      "21st",
      "112th",
    ]);
    await loadLanguage("en");
    equal(
      [t("queue_position", { position: 1 }), t("queue_position", { position: 3 }), t("eta", roughly(4.2))],
      ["Next in the queue", "3rd in the queue", "about 4 s"],
    );
    await loadLanguage("zh-hans");
    equal(
      [t("queue_position", { position: 1 }), t("queue_position", { position: 3 }), t("eta", roughly(130))],
      ["下一个就是您", "排在第 3 位", "约 2 分钟"],
    );
    await loadLanguage("en");
  },
  "a wait that takes longer than was said is not said to end any moment": async () => {
    await loadLanguage("en");
    equal(
      [40, 0.9, -3, -3.5, -600].map((left) => t(...waitWords(left))),
      ["about 40 s", "any moment", "any moment", "longer than expected", "longer than expected"],
    );
  },
  "estimates are rounded as honest ones are": () =>
    equal(
      [0.2, 3.6, 12, 47, 61, 200, 5_000, 69_600].map((one) => Object.values(roughly(one)).join(" ")),
      ["s 1", "s 4", "s 10", "s 45", "min 1", "min 3", "min 83", "h 19"],
    ),
  "speed counts from the first token": () => {
    equal(speed({ completion_tokens: 101, ttft_s: 1, total_s: 6 }), 20);
    equal([speed({ completion_tokens: 1, ttft_s: 1, total_s: 6 }), speed({ completion_tokens: 9 })], [null, null]);
    equal([seconds(0.42), seconds(12.3)], ["0.4", "12"]);
  },
  "days group by the calendar, not by hours": () => {
    equal(
      [0, 0.5, 1, 3, 7, 8, 30, 40].map((days) => groupOf(item(days), NOW)),
      ["today", "yesterday", "yesterday", "week", "week", "month", "month", "2026-02"],
    );
    equal(
      grouped([item(3), item(0), item(90, true)], NOW).map(({ group, items }) => [group, items.length]),
      [
        ["pinned", 1],
        ["today", 1],
        ["week", 1],
      ],
    );
  },
  "what was said today has its time, what was said before its day too"() {
    const [today, lastWeek] = [moment(NOW - 60_000, NOW, "en-GB"), moment(NOW - 7 * 86_400_000, NOW, "en-GB")];
    equal([today, lastWeek], ["09:29", "8 Mar 2026, 09:30"]);
    equal(moment(NOW - 60_000, NOW, "zh-Hans"), "09:29");
  },
  "languages go by many names": () =>
    equal(["py", "c++", "TypeScript title=x", "sh", "cobol", ""].map(grammarOf), [
      "python",
      "cpp",
      "typescript",
      "bash",
      null,
      null,
    ]),
  "drafts survive a reload, per conversation": () => {
    const storage = window.sessionStorage;
    const before = new Drafts(storage);
    before.set("c1", "half a thought");
    before.set(null, "a new one");
    const after = new Drafts(storage);
    equal([after.get("c1"), after.get(null), after.get("c2")], ["half a thought", "a new one", ""]);
    after.set("c1", "");
    equal(new Drafts(storage).get("c1"), "");
  },
  "the outbox survives a reload": () => {
    const storage = window.sessionStorage;
    new Outbox(storage).set("x", { id: "x", content: "Why?" });
    const after = new Outbox(storage);
    equal([...after.keys()], ["x"]);
    after.delete("x");
    equal(new Outbox(storage).size, 0);
  },
  "full storage loses nothing while the page lives": () => {
    const drafts = new Drafts(new Full());
    drafts.set("c", "saved");
    equal(drafts.get("c"), "saved");
    equal(new Outbox(new Full()).set("x", 1).size, 1);
  },
};
