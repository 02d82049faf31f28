"""The model's titles on the page: they come by themselves, give way to a person's, can be switched off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.page.driving import answered, ask, choose_in_menu, sign_in
from tests.support import site as sites
from tests.support.browser import open_page
from tests.support.prepared import prepared_site

pytestmark = pytest.mark.browser

QUESTIONS = 8
"""The emulated engine's words are no title now and then; not eight times."""


@pytest.fixture
def titling_site(tmp_path: Path) -> Iterator[sites.Site]:
    """Short answers, and titles on."""
    settings = {
        "CHATSITE_ENGINE": "emulated",
        "CHATSITE_EMULATED_ANSWER_TOKENS": "12",
        "CHATSITE_TITLES": "on",
    }
    with prepared_site(settings, tmp_path) as site:
        yield site


async def test_the_model_names_conversations_until_it_is_told_not_to(
    browser: Browser, titling_site: sites.Site
) -> None:
    page = await open_page(browser, locale="en-GB")
    await sign_in(page, titling_site)
    for number in range(QUESTIONS):
        await ask(page, f"Question {number}")
        await answered(page)
        await page.click(".new-chat")
    named = page.locator(".row").filter(has_not_text="Question")
    await expect(named.first).to_be_visible()
    # This one row, by its address: while it is renamed, one above it may be named too.
    link = await named.first.locator("a").get_attribute("href")
    await rename(page, page.locator(f'.row:has(a[href="{link}"])'))
    await page.reload()
    await expect(page.locator(".row", has_text="Named by hand")).to_have_count(1)

    await page.click(".account-button")
    await page.get_by_role("menuitem", name="Settings").click()
    await page.get_by_role("button", name="Instructions").click()
    await page.get_by_label("Let the model name new conversations").uncheck()
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".toast")).to_contain_text("Saved.")
    await page.keyboard.press("Escape")
    await page.reload()
    await page.click(".account-button")
    await page.get_by_role("menuitem", name="Settings").click()
    await page.get_by_role("button", name="Instructions").click()
    await expect(page.get_by_label("Let the model name new conversations")).not_to_be_checked()


async def rename(page: Page, row: Locator) -> None:
    await choose_in_menu(row, "Rename")
    await page.keyboard.press("Control+a")
    await page.keyboard.type("Named by hand")
    await page.keyboard.press("Enter")
