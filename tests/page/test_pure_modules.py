"""The page's modules alone, in the browser that they are written for. The tests themselves are js/*.js."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page

pytestmark = pytest.mark.browser

FILES = sorted(path.stem for path in (Path(__file__).parent / "js").glob("*.js") if path.stem != "check")

RUN = """async (name) => {
  const { tests } = await import(`/js/${name}.js`);
  const failures = {};
  for (const [words, test] of Object.entries(tests)) {
    try { await test(); } catch (error) { failures[words] = error.stack.slice(0, 1500); }
  }
  return { count: Object.keys(tests).length, failures };
}"""


@pytest.mark.parametrize("name", FILES)
async def test_module(modules: Page, name: str) -> None:
    result = await modules.evaluate(RUN, name)
    assert result["count"] > 0
    assert not result["failures"], "\n".join(f"{words}: {why}" for words, why in result["failures"].items())
