import { blocksOf, BlockStream } from "/static/chat/blocks.js";
import { Sentences } from "/static/chat/sentences.js";
import { chance, cut, equal, ok } from "./check.js";

const sources = (text) => blocksOf(text).map((block) => block.source);
const kinds = (text) => blocksOf(text).map((block) => block.kind);

const RICH = [
  "# Title",
  "Some *text* that\ngoes on.",
  "- one\n- two\n\n  still two\n- three",
  "1. first\n\n   ```js\n   a()\n\n   b()\n   ```\n2. second",
  "```python\nprint(1)\n\n\nprint(2)\n```",
  "~~~\n```\n~~~",
  "| a | b |\n|---|--:|\n| 1 | 2 |",
  "$$\nx = 1\n\ny = 2\n$$",
  "\\[\na\n\\]",
  "> quoted\n> more",
  "    indented\n\n    code",
  "Text before\n```\ncode\n```\ntext after",
  "中文段落。\n\n第二段。",
  "***",
  "Setext\n===",
  "```",
].join("\n\n");

export const tests = {
  "paragraphs, headings and code end where they end": () =>
    equal(sources("# A\ntext\n\nmore\n```js\nx\n```\nend"), ["# A", "text", "more", "x\n", "end"]),
  "a list with blank lines is one block": () =>
    equal(sources("- a\n\n- b\n\n  c\n\nafter"), ["- a\n\n- b\n\n  c", "after"]),
  "another kind of list is another block": () => equal(sources("- a\n\n1. b"), ["- a", "1. b"]),
  "a fence inside a list item belongs to it": () =>
    equal(kinds("1. a\n\n   ```\n   x\n\n   y\n   ```\n2. b"), ["text"]),
  "code keeps its blank lines and its language": () =>
    equal(blocksOf("```rust\n\na\n\nb\n```"), [{ kind: "code", source: "\na\n\nb\n", closed: true, info: "rust" }]),
  "only the same mark closes a fence": () => equal(sources("````\n```\nx\n````"), ["```\nx\n"]),
  "an open fence is code so far": () =>
    equal(blocksOf("```py\nx = 1"), [{ kind: "code", source: "x = 1", closed: false, info: "py" }]),
  "display maths is a block": () =>
    equal(kinds("a\n\n$$\nx\n\ny\n$$\n\nb\n\n\\[ z \\]"), ["text", "math", "text", "math"]),
  "inline code with backticks at the start is no fence": () => equal(kinds("```a``` b"), ["text"]),
  "a long list goes on in further blocks": () => {
    const text = Array.from({ length: 300 }, (_, index) => `${index + 1}. item number ${index + 1}`).join("\n");
    const blocks = blocksOf(text);
    ok(blocks.length > 2 && blocks.slice(1).every((block) => block.continued));
    equal(blocks.map((block) => block.source).join("\n"), text);
  },
  "a long table goes on under its header": () => {
    const rows = Array.from({ length: 900 }, (_, index) => `| ${index} | some words |`);
    const blocks = blocksOf(["| n | words |", "|---|---|", ...rows].join("\n"));
    ok(blocks.length > 2);
    ok(blocks.every((block) => block.source.startsWith("| n | words |\n|---|---|\n")));
    equal(
      blocks.flatMap((block) => block.source.split("\n").slice(2)),
      rows,
    );
  },
  "blocks do not depend on how the text arrives": () => {
    const whole = blocksOf(RICH);
    for (let seed = 1; seed <= 300; seed += 1) {
      const stream = new BlockStream();
      for (const part of cut(RICH, chance(seed))) {
        stream.push(part);
        stream.tail();
      }
      equal([...stream.blocks, ...stream.tail()], whole, `seed ${seed}`);
    }
  },
  "a finished block never changes": () => {
    const stream = new BlockStream();
    let before = [];
    for (const character of RICH) {
      stream.push(character);
      before.forEach((block, index) => ok(stream.blocks[index] === block, `block ${index} changed`));
      before = [...stream.blocks];
    }
    ok(before.length > 10);
  },
  "no line of text is lost": () => {
    const shown = blocksOf(RICH)
      .map((block) => block.source)
      .join("\n");
    for (const line of RICH.split("\n"))
      if (/[\p{L}\p{N}]/u.test(line) && !/^(```|~~~)/.test(line)) ok(shown.includes(line.trim()), line);
  },
  "finished sentences are heard, code and marks are not": () => {
    const reader = new Sentences();
    equal(reader.take("Hello **there"), []);
    equal(reader.take("Hello **there**. How are"), ["Hello there."]);
    equal(reader.take("Hello **there**. How are you? Good\n```\nx = 1\n```\n你好。再见"), [
      "How are you?",
      "Good",
      "你好。",
    ]);
    equal(reader.take("Hello **there**. How are you? Good\n```\nx = 1\n```\n你好。再见", true), ["再见"]);
  },
};
