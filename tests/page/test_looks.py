"""Zoom, a narrow window and a wish for stillness: nothing is cut off, nothing moves."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from bench import site as sites
from tests.browser import open_chat, open_context
from tests.page.test_flows import ANSWER_MS, answered, ask

pytestmark = pytest.mark.browser

CUT_OFF = """() => [...document.querySelectorAll("button, a, input, textarea, h1, h2, label, .panel, .toast")]
  .filter((one) => one.checkVisibility() && !one.closest(".heard-only, .skip, .row, .table-scroll, pre"))
  .filter((one) => {
    const { left, right, width } = one.getBoundingClientRect();
    return width && (left < -1 || right > innerWidth + 1);
  })
  .map((one) => one.outerHTML.slice(0, 120))"""
"""What stands out of the window to the left or right; a row's title may end in an ellipsis."""

MOVING = """() => document.getAnimations()
  .filter((one) => one.playState === "running")
  .map((one) => one.effect.target?.className)"""


async def check(page: Page) -> None:
    assert await page.evaluate(CUT_OFF) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# 1280 × 800 at 200 % is a window of 640 × 400 with two pixels for each of its own.
@pytest.mark.parametrize(("width", "height", "scale"), [(640, 400, 2), (360, 640, 3)], ids=["zoom", "phone"])
async def test_nothing_is_cut_off(
    browser: Browser, site: sites.Site, person: str, width: int, height: int, scale: int
) -> None:
    window = {"viewport": {"width": width, "height": height}, "device_scale_factor": scale}
    page = await open_chat(await open_context(browser, site, person, **window), site)
    await check(page)
    await ask(page, "A very long title that has no place in such a narrow window, and some code")
    await answered(page)
    await check(page)
    await page.get_by_role("button", name="Share", exact=True).click()
    await page.wait_for_selector("dialog[open]")
    await check(page)
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+b")
    await expect(page.locator(".row")).to_be_visible()
    await check(page)
    await page.click(".account-button")
    await expect(page.get_by_role("menu")).to_be_visible()
    await check(page)
    await page.get_by_role("menuitem", name="Settings").click()
    for tab in await page.locator(".tab").all():
        await tab.click()
        await check(page)


async def test_a_low_window_begins_with_the_greeting(browser: Browser, site: sites.Site, person: str) -> None:
    window = {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2}
    page = await open_chat(await open_context(browser, site, person, **window), site)
    await expect(page.get_by_role("heading", name="Good")).to_be_in_viewport(ratio=1)


async def test_on_a_phone_the_buttons_of_the_question_being_edited_are_seen(
    browser: Browser, site: sites.Site, person: str
) -> None:
    page = await open_chat(
        await open_context(browser, site, person, viewport={"width": 360, "height": 640}), site
    )
    for question in ("One", "Two"):
        await ask(page, question)
        await expect(page.locator(".question")).to_have_count(1 if question == "One" else 2)
        await answered(page)
    await page.locator(".scroll").evaluate("box => { box.scrollTop -= box.clientHeight * 0.4 }")
    await (
        page.locator(".question").last.get_by_role("button", name="Edit", exact=True).dispatch_event("click")
    )
    send = page.locator(".question-editor").get_by_role("button", name="Send")
    await expect(send).to_be_in_viewport(ratio=1)
    box = await send.bounding_box()
    assert box
    on_top = "([x, y]) => document.elementFromPoint(x, y).closest('.question-editor') !== null"
    assert await page.evaluate(on_top, [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])


async def test_nothing_moves_for_who_wants_it_still(browser: Browser, site: sites.Site, person: str) -> None:
    page = await open_chat(await open_context(browser, site, person, reduced_motion="reduce"), site)
    await ask(page, "Quietly, please")
    assert await page.evaluate(MOVING) == []
    await expect(page.locator(".answer .markdown")).to_be_visible(timeout=ANSWER_MS)
    assert await page.evaluate(MOVING) == []
    await page.hover(".row")
    await answered(page)
    assert await page.evaluate(MOVING) == []
    await page.emulate_media(reduced_motion="no-preference")
    await ask(page, "And now with life")
    assert await page.evaluate(MOVING) != [], "this test would see it"
