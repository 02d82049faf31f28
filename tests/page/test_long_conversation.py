"""A conversation that outgrows the context goes on, and says from where the model has read it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, Page, expect

from tests.page.driving import sign_in
from tests.support import site as sites
from tests.support.browser import open_page
from tests.support.prepared import prepared_site

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def small_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sites.Site]:
    """A context of 400 tokens."""
    settings = {
        "CHATSITE_ENGINE": "emulated",
        "CHATSITE_EMULATED_STEP_S": "0.01",
        "CHATSITE_EMULATED_CONTEXT_TOKENS": "400",
        "CHATSITE_MAX_OUTPUT_TOKENS": "20",
        "RATE_LIMIT_PER_MINUTE": "10000",
    }
    with prepared_site(settings, tmp_path_factory.mktemp("small")) as site:
        yield site


async def ask(page: Page, question: str, turn: int) -> None:
    await page.fill("#composer", question)
    await page.keyboard.press("Enter")
    await expect(page.locator(".answer")).to_have_count(turn)
    await expect(page.locator(".send.stop")).to_have_count(0)


async def test_what_was_left_out_is_shown_and_a_document_can_be_cut(
    browser: Browser, small_site: sites.Site
) -> None:
    page = await open_page(browser, locale="en-GB")
    await sign_in(page, small_site)
    line = page.locator(".left-out")
    for turn in range(1, 4):
        await ask(page, f"Question {turn}. " + "word " * 70, turn)
    await expect(line).to_have_count(1)
    below = page.locator(".left-out ~ .question").first
    shown = await below.inner_text()
    assert not shown.startswith("Question 1.")
    await page.reload()
    await expect(line).to_have_count(1)
    await expect(below).to_have_text(shown)

    await page.goto(small_site.url)
    await page.set_input_files(
        ".attach-field",
        [{"name": "long.txt", "mimeType": "text/plain", "buffer": b"The harbour opens. " * 200}],
    )
    await expect(page.locator(".documents progress")).to_have_count(0)
    await expect(page.locator(".documents-sum .warn")).to_contain_text("the model's context holds 400")
    await page.fill("#composer", "When?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".refusal")).to_contain_text("400 fit. Nothing was sent.")
    await page.locator(".refusal").get_by_role("button", name="Use the beginning").click()
    await expect(page.locator(".answer .markdown")).not_to_be_empty()
    await expect(page.locator(".send.stop")).to_have_count(0)
    await page.reload()
    await expect(page.locator(".question .attached")).to_contain_text("the first")
    await page.close()
