"""axe-core on a page: every rule in one theme, and those that see colours in the other."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page

AXE = Path(__file__).parent / "vendor/axe.min.js"

OF_COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules that can find something in one theme alone: the elements are the same in both."""

RUN = """async (rules) => {
  // Colours on their way from one theme to the other are nobody's.
  const moving = document.getAnimations().filter((one) => one instanceof CSSTransition);
  await Promise.allSettled(moving.map((one) => one.finished));
  const found = await axe.run(document, { resultTypes: ["violations"], ...(rules && { runOnly: rules }) });
  const places = (one) => one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200));
  return found.violations.map((one) => [one.id, one.help, places(one)]);
}"""


async def run(page: Page, rules: list[str] | None = None) -> list[object]:
    """What axe finds as the page is: (rule, help, the first elements). None: every rule."""
    if not await page.evaluate("'axe' in window"):
        await page.add_script_tag(path=AXE)
    found: list[object] = await page.evaluate(RUN, rules)
    return found


async def run_in_both_themes(page: Page) -> list[object]:
    """The same in the dark and in the light theme; leaves the page in the light one."""
    await page.emulate_media(color_scheme="dark")
    of_colours = await run(page, OF_COLOURS)
    await page.emulate_media(color_scheme="light")
    return [*of_colours, *await run(page)]
