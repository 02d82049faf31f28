import { listConversations } from "/static/chat/listing.js";
import { state } from "/static/chat/store.js";
import { equal } from "./check.js";

const item = (id) => ({ id, title: id, pinned: false, updated_at: "2026-03-15T09:30:00Z" });
const page = (...ids) => new Response(JSON.stringify({ conversations: ids.map(item), next: null, folders: [] }));
const shown = () => state.value.list.items.map((one) => one.id);

export const tests = {
  "an answer to an earlier look at the list says nothing any more": async () => {
    const real = window.fetch;
    const answers = [];
    window.fetch = () => new Promise((resolve) => answers.push(resolve));
    try {
      const [early, late] = [listConversations(), listConversations()];
      answers[1](page("a", "b"));
      await late;
      equal(shown(), ["a", "b"]);
      answers[0](page());
      await early;
      equal(shown(), ["a", "b"]);
    } finally {
      window.fetch = real;
    }
  },
};
