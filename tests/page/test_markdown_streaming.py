"""Answers that stream in: no frame shows a mark that the source so far or the finished answer does not."""

from __future__ import annotations

import random

import pytest
from playwright.async_api import Page

from tests.support.markdown_documents import markdown_document

pytestmark = pytest.mark.browser

STREAM = """async (documents) => {
  const { MarkdownSurface } = await import("/static/chat/view/markdown-surface.js");
  await (await import("/static/chat/view/preferences.js")).useLanguage("en");
  const own = ".code-bar, .image-label, .footnote-label, .maths, .maths-growing, [hidden]";
  const seen = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    return node.matches(own) ? "" : [...node.childNodes].map(seen).join("");
  };
  const count = (text) => {
    const counts = {};
    for (const mark of text.match(/[!-\\/:-@[-`{-~]/g) ?? []) counts[mark] = (counts[mark] ?? 0) + 1;
    return counts;
  };
  const settled = async (surface) => {
    while (surface.list.frozen < surface.stream.blocks.length || surface.references.stale.size) {
      await new Promise(requestAnimationFrame);
      surface.draw();
    }
  };
  const whole = async (text) => {
    const root = document.createElement("div");
    root.className = "markdown";
    const surface = new MarkdownSurface(root);
    surface.update(text, true);
    await settled(surface);
    return root;
  };
  await whole("$x$");
  while (!(await whole("$x$")).querySelector("math")) await new Promise(requestAnimationFrame);
  const failures = [];
  for (const { text, cuts } of documents) {
    const reloaded = await whole(text);
    const final = count(seen(reloaded));
    const root = document.createElement("div");
    root.className = "markdown";
    const surface = new MarkdownSurface(root);
    const problems = [];
    for (const cut of cuts) {
      surface.nextTail = 0;
      const prefix = text.slice(0, cut);
      surface.update(prefix, false);
      await settled(surface);
      const shown = seen(root);
      const source = count(prefix);
      for (const [mark, number] of Object.entries(count(shown))) {
        const where = [mark, prefix.slice(-60), shown.slice(-60)];
        if (number > (source[mark] ?? 0)) problems.push(["not in the source", ...where]);
        if (number > (final[mark] ?? 0)) problems.push(["hidden at the end", ...where]);
      }
    }
    surface.update(text, true);
    await settled(surface);
    const [streamed, loaded] = [root.innerHTML, reloaded.innerHTML];
    if (streamed !== loaded) problems.push(["not as reloaded", streamed, loaded]);
    if (problems.length) failures.push({ text, problems: problems.slice(0, 3) });
  }
  return failures;
}"""


def cut_at_random(text: str, seed: int) -> list[int]:
    """Where the prefixes of a text end that a stream of random deltas makes."""
    chance, cuts, at = random.Random(seed), [], 0
    longest = chance.choice([1, 6, 12, 24, 24, 24, 40, 40])
    while at < len(text):
        at = min(len(text), at + chance.randint(1, longest))
        cuts.append(at)
    return cuts


AT_ONCE = 50
MANY = [pytest.param(first, marks=pytest.mark.proof) for first in range(100, 2_100, AT_ONCE)]


@pytest.mark.parametrize("first", [0, 50, *MANY])
async def test_a_stream_shows_no_mark_too_many_and_ends_as_a_reload(modules: Page, first: int) -> None:
    texts = [(seed, markdown_document(seed)) for seed in range(first, first + AT_ONCE)]
    documents = [{"text": text, "cuts": cut_at_random(text, seed)} for seed, text in texts]
    failures = await modules.evaluate(STREAM, documents)
    assert not failures, "\n\n".join(f"{one['text']}\n{one['problems']}" for one in failures[:3])
