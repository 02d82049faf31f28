"""Zoom, a narrow window and a wish for stillness: nothing is cut off, nothing moves."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.page.driving import answered, ask
from tests.support import site as sites
from tests.support.browser import open_chat, open_context

pytestmark = pytest.mark.browser

CUT_OFF = """() => [...document.querySelectorAll("button, a, input, textarea, h1, h2, label, .panel, .toast")]
  .filter((one) => one.checkVisibility() && !one.closest(".visually-hidden, .skip, .row, .table-scroll, pre"))
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
    await expect(page.locator(".answer .markdown")).to_be_visible()
    assert await page.evaluate(MOVING) == []
    await page.hover(".row")
    await answered(page)
    assert await page.evaluate(MOVING) == []
    await page.emulate_media(reduced_motion="no-preference")
    await ask(page, "And now with life")
    assert await page.evaluate(MOVING) != [], "this test would see it"


TABLE = """| Dish | Restaurant | Described | Price | Way |
|---|---|---|---:|:---:|
| Westlake fish | Louwailou restaurant | Sweet and sour, internationalisation | 1,280.00 € | 0.5 km |
"""

BROKEN_WORDS = """() => [...document.querySelectorAll(".markdown :is(th, td)")].flatMap((cell) => {
  const text = cell.firstChild;
  return [...text.data.matchAll(/[^\\s-]+/g)].filter((word) => {
    const range = document.createRange();
    range.setStart(text, word.index);
    range.setEnd(text, word.index + word[0].length);
    return range.getClientRects().length > 1;
  }).map((word) => word[0]);
})"""
"""Words of a table that stand on two lines."""


@pytest.mark.parametrize("width", [360, 1280])
async def test_a_table_breaks_no_word_and_is_moved_sideways_where_it_is_too_wide(
    browser: Browser, site: sites.Site, person: str, width: int
) -> None:
    window = {"viewport": {"width": width, "height": 640}}
    page = await open_chat(await open_context(browser, site, person, **window), site)
    await ask(page, "A table, please")
    await answered(page)
    await page.get_by_role("button", name="Edit the answer").click()
    await page.fill(".question-editor textarea", TABLE)
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".markdown td")).to_have_count(5)
    assert await page.evaluate(BROKEN_WORDS) == []
    moves = "box => box.scrollWidth > box.clientWidth"
    assert await page.locator(".table-scroll").evaluate(moves) == (width == 360)
    await check(page)


PRESSED = ".icon-button, .send, .chip, .tab, .view-button, .button, .menu-item"

TOO_SMALL = f"""() => [...document.querySelectorAll("{PRESSED}")]
  .filter((one) => one.checkVisibility() && !one.closest(".search"))
  .filter((one) => one.getBoundingClientRect().height < 40)
  .map((one) => one.outerHTML.slice(0, 120))"""


async def test_what_a_finger_presses_is_large_enough_and_stays_in_one_row(
    browser: Browser, site: sites.Site, person: str
) -> None:
    window = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    page = await open_chat(await open_context(browser, site, person, **window), site)
    assert await page.evaluate(TOO_SMALL) == []
    await page.fill("#composer", "Twice, please")
    await page.locator(".send").tap()
    await answered(page)
    await page.get_by_role("button", name="Answer again").tap()
    await answered(page)
    assert await page.evaluate(TOO_SMALL) == []
    buttons = await page.locator(".answer .tools .icon-button").all()
    assert len(buttons) == 8
    assert len({(await one.bounding_box() or {})["y"] for one in buttons}) == 1
    await page.get_by_role("button", name="Show conversations").tap()
    await page.locator(".row-menu").first.tap()
    assert await page.evaluate(TOO_SMALL) == []
    await page.keyboard.press("Escape")
    await page.locator(".account-button").tap()
    await page.get_by_role("menuitem", name="Settings").tap()
    assert await page.evaluate(TOO_SMALL) == []
