"""The main flows without a pointer: all is reached by Tab, arrows and shortcuts, and focus is never lost."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, Page, expect

from tests.page.driving import answered, tab_to

pytestmark = pytest.mark.browser


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True).first


async def test_ask_edit_walk_the_branches_search_and_share(page: Page) -> None:
    press = page.keyboard.press
    await page.keyboard.type("Typed without a mouse")
    await press("Enter")
    await answered(page)
    await press("ArrowUp")
    await page.keyboard.type(" again")
    await press("Shift+Enter")
    await press("Enter")
    await expect(page.locator(".question .siblings")).to_contain_text("2/2")
    await answered(page)
    await tab_to(button(page, "Previous version"), "Shift+Tab")
    for place, arrow in (("1/2", "Next version"), ("2/2", "Previous version"), ("1/2", "Next version")):
        await press("Enter")
        await expect(page.locator(".question .siblings")).to_contain_text(place)
        await expect(page.locator(".question").get_by_role("button", name=arrow)).to_be_focused()
    await expect(page.locator(".question .panel")).to_have_text("Typed without a mouse")
    await press("Control+Shift+O")
    await expect(page.locator("#composer")).to_be_focused()
    await page.wait_for_selector(".welcome")
    await press("Control+k")
    await page.keyboard.type("without a mouse")
    await expect(page.locator(".hit").first).to_be_visible()
    await press("ArrowDown")
    await press("Enter")
    await page.wait_for_url("**/c/*")
    await press("Control+b")
    await expect(page.locator(".sidebar")).to_have_count(0)
    await tab_to(button(page, "Share"), "Shift+Tab")
    await press("Enter")
    await page.wait_for_selector("dialog[open]")
    await press("Escape")
    await expect(page.get_by_role("button", name="Share", exact=True)).to_be_focused()


async def test_rename_delete_and_undo_from_the_sidebar(page: Page) -> None:
    press = page.keyboard.press
    await page.keyboard.type("A row of mine")
    await press("Enter")
    await answered(page)
    await tab_to(button(page, "Options for “A row of mine”"), "Shift+Tab")
    await press("Enter")
    await press("Enter")
    await page.keyboard.type("A better name")
    await press("Enter")
    await expect(page.locator(".row.here")).to_contain_text("A better name")
    await page.locator("#composer").focus()
    await tab_to(button(page, "Options for “A better name”"), "Shift+Tab")
    await press("Enter")
    await press("ArrowUp")
    await press("Enter")
    await expect(page.locator(".row")).to_have_count(0)
    await tab_to(button(page, "Undo"))
    await press("Enter")
    await expect(page.locator(".row")).to_contain_text("A better name")


async def test_stop_answer_again_and_switch_language(page: Page) -> None:
    press = page.keyboard.press
    await page.keyboard.type("A question to stop")
    await press("Enter")
    await expect(page.locator(".answer .markdown")).to_be_visible()
    await press("Escape")
    await answered(page)
    await tab_to(button(page, "Answer again"), "Shift+Tab")
    await press("Enter")
    await expect(page.locator(".answer .siblings")).to_contain_text("2/2")
    await answered(page)
    await page.locator("#composer").focus()
    await tab_to(page.locator(".account-button"), "Shift+Tab")
    await press("Enter")
    for _ in range(4):
        await press("ArrowDown")
    await press("Enter")
    await expect(page.locator(".new-chat")).to_have_text("新对话")
    await expect(page.locator(".account-button")).to_be_focused()
