import { fill } from "/static/chat/lazy/placeholders.js";
import { equal } from "./check.js";

const NOW = new Date(2026, 0, 5, 9, 7);

export const tests = {
  "date and time are the person's own": () => {
    equal(fill("On {{date}} at {{ Time }}, {{date}}", NOW).text, "On 2026-01-05 at 09:07, 2026-01-05");
  },
  "what the page does not know is marked, the first of them": () => {
    const { text, start, end } = fill("{{date}}: to {{收件人}} and {{other one}}", NOW);
    equal([text, text.slice(start, end)], ["2026-01-05: to {{收件人}} and {{other one}}", "{{收件人}}"]);
    equal(fill("{{constructor}}", NOW), { text: "{{constructor}}", start: 0, end: 15 });
  },
  "without any the caret stands at the end": () => {
    equal(fill("if (a) {{ }} {{}} {b}", NOW), { text: "if (a) {{ }} {{}} {b}", start: 21, end: 21 });
  },
};
