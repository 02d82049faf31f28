"""Driving the chat page as a person does: sign in, ask, wait for the answer, move by keyboard."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, Page, expect

from tests.support import axe
from tests.support import site as sites


async def ask(page: Page, question: str, key: str = "Enter") -> None:
    await page.fill("#composer", question)
    await page.keyboard.press(key)


async def answered(page: Page) -> None:
    await expect(page.locator(".answer .tools button").first).to_be_visible()
    await expect(page.locator(".send.stop")).to_have_count(0)


async def sign_in(page: Page, site: sites.Site) -> None:
    """Through the form, to an empty chat."""
    await page.goto(site.url)
    await page.fill("input[name=login]", sites.EMAIL)
    await page.fill("input[name=password]", sites.PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".welcome")


async def choose_in_menu(row: Locator, item: str) -> None:
    """Of a conversation's menu. Its button is shown by focusing it: from under a mouse the row may
    move away when the list changes."""
    button = row.locator(".row-menu")
    await button.focus()
    await button.click()
    await row.get_by_role("menuitem", name=item).click()


MOST_STEPS = 60
"""More than there are places to stop at on the page."""


async def tab_to(place: Locator, key: str = "Tab") -> None:
    """Press Tab until this has the focus."""
    for _ in range(MOST_STEPS):
        await place.page.keyboard.press(key)
        if await place.count() and await place.evaluate("one => one === document.activeElement"):
            return
    pytest.fail(f"{place} is not reached by {key}")


async def check(page: Page, where: str) -> None:
    """No violation of axe's rules in either theme, and nothing wider than the window."""
    assert await axe.run_in_both_themes(page) == [], where
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{where} is too wide"


FIRST_LOAD_BYTES = 150_000
