"""Someone who never saw the page, by what is written on it alone: no selector that a person could not read.

What made the walk hesitate when done by hand, and was mended: docs/page.md.
"""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.page.driving import answered
from tests.support.browser import open_page

pytestmark = pytest.mark.browser


async def test_finds_branches_shares_and_switches_language(page: Page, browser: Browser) -> None:

    # An older chat whose answer holds the word; then another one, so that it must be looked for.
    for question in ("Tell me something in Chinese about queues", "Something else"):
        await page.get_by_role("link", name="New chat").click()
        await page.get_by_role("textbox", name="Ask anything").fill(question)
        await page.keyboard.press("Enter")
        await answered(page)
    text = await page.locator(".answer .markdown").inner_text()
    word = next(
        text[at : at + 2] for at in range(len(text)) if all("一" <= c <= "鿿" for c in text[at : at + 2])
    )
    await page.get_by_role("link", name="New chat").click()

    await page.get_by_role("searchbox", name="Search titles and messages").fill(word)
    await page.get_by_role("link", name="Something else").filter(has_text=word).first.click()
    await expect(page.get_by_role("heading", name="Something else")).to_be_visible()

    await page.get_by_role("article", name="Your question").hover()
    await page.get_by_role("article", name="Your question").get_by_role("button", name="Edit").click()
    await page.get_by_role("textbox", name="Edit").fill("In other words")
    await page.get_by_role("article").get_by_role("button", name="Send").click()
    await expect(page.get_by_text("2/2").first).to_be_visible()
    await answered(page)

    await page.get_by_role("button", name="Share", exact=True).click()
    await page.get_by_text("Everybody who has the link").click()
    await page.get_by_role("button", name="Make a link").click()
    link = await page.get_by_label("Link", exact=True).input_value()
    await page.get_by_role("button", name="Close").last.click()
    reader = await open_page(browser)
    await reader.goto(link)
    await expect(reader.get_by_text("In other words", exact=True)).to_be_visible()

    await page.get_by_role("button", name="person").click()
    await page.get_by_role("menuitemradio", name="简体中文").click()
    await expect(page.get_by_role("link", name="新对话")).to_be_visible()
