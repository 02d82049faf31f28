"""What stands in answers beside words: diagrams, and what was thought before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.page.driving import answered, ask, sign_in
from tests.support import site as sites
from tests.support.browser import open_page
from tests.support.prepared import prepared_site

pytestmark = pytest.mark.browser

"""Mermaid is fetched and read with the first diagram."""

ALIGNED = r"""
$$\begin{aligned} a &= b+c \\ abc &= d \end{aligned}$$

"""

SIDES = """() => {
  const cells = [...document.querySelectorAll("mtd")].map((cell) => {
    const signs = [...cell.querySelectorAll("mi, mo:not(:empty)")].map((one) => one.getBoundingClientRect());
    const edges = (side) => signs.map((one) => one[side]);
    return { left: Math.min(...edges("left")), right: Math.max(...edges("right")) };
  });
  const [a, b, abc, d] = cells;
  return [a.right - abc.right, b.left - d.left, a.left - abc.left].map(Math.round);
}"""
"""How far apart are the rows' right edges before the signs, left edges after them, left edges before them."""

DIAGRAMS = """\
```mermaid
flowchart LR
  A[Typed] --> B{Full?}
  click A "javascript:alert(1)"
```

```mermaid
mindmap
  root((排队))
    快速
```

```mermaid
flowchart LR
  A --> --> B[
```
"""


@pytest.fixture
def thinking_site(tmp_path: Path) -> Iterator[sites.Site]:
    """Its model thinks before it answers."""
    settings = {
        "CHATSITE_ENGINE": "emulated",
        "CHATSITE_EMULATED_ANSWER_TOKENS": "40",
        "CHATSITE_EMULATED_CONTEXT_TOKENS": "4000",
        "CHATSITE_EMULATED_REASONING_TOKENS": "40",
    }
    with prepared_site(settings, tmp_path) as site:
        yield site


async def test_thought_is_folded_and_diagrams_are_drawn(browser: Browser, thinking_site: sites.Site) -> None:
    page = await open_page(browser, locale="en-GB")
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    await sign_in(page, thinking_site)
    await ask(page, "Draw the queue")
    await expect(page.get_by_text("Thinking…")).to_be_visible()
    await answered(page)
    fold = page.get_by_text("Thought for")
    await expect(page.locator(".reasoning p")).to_be_hidden()
    await fold.click()
    await expect(page.locator(".reasoning p")).not_to_be_empty()
    thought = await page.locator(".reasoning p").inner_text()
    await expect(page.locator(".answer .markdown")).not_to_contain_text("think>")
    await page.reload()
    await fold.click()
    assert await page.locator(".reasoning p").inner_text() == thought

    await page.get_by_role("button", name="Edit the answer").click()
    await page.fill(".question-editor textarea", ALIGNED + DIAGRAMS)
    await page.get_by_role("button", name="Save").click()
    pictures = page.locator(".diagram img")
    await expect(pictures).to_have_count(2)
    await page.wait_for_function(
        "[...document.fonts].some(font => font.family === 'Maths' && font.status === 'loaded')"
    )
    right, left, ragged = await page.evaluate(SIDES)
    assert (right, left) == (0, 0), "each side of an equation stands at its signs"
    assert ragged > 5
    assert await pictures.first.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert "javascript" not in await pictures.first.evaluate("image => decodeURIComponent(image.src)")
    await expect(page.locator(".diagram-note").last).to_contain_text("could not be drawn: Parse error")
    await expect(page.locator(".code").last.locator("pre")).to_be_visible()
    first = page.locator(".code").first
    await expect(first.locator("pre")).to_be_hidden()
    await first.get_by_role("button", name="Show source").click()
    await expect(first.locator("pre")).to_contain_text("A[Typed]")
    await expect(pictures.first).to_be_hidden()
    light = await pictures.last.get_attribute("src")
    await page.emulate_media(color_scheme="dark")
    await expect(pictures.last).not_to_have_attribute("src", light or "")

    await page.fill("#composer", "word " * 2_800)
    await expect(page.locator(".small-print.warn")).to_contain_text("About 3,500 tokens")
    await page.fill("#composer", "字" * 4_001)
    await expect(page.locator(".small-print.bad")).to_contain_text("at most 4,000")
    assert problems == []
