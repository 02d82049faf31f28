"""The main job in a real browser: sign in, ask, read the stream, reload in the middle, stop."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.e2e.reading import rows, sign_in
from tests.support import site as sites
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.browser


SETTLED_MS = 1_500
"""Longer than fetching and running KaTeX takes on two busy cores."""

IDLE_S = 1.0
"""Dozens of steps of either engine, if it still wrote."""

NEWEST = (
    "SELECT g.*, m.content FROM generations_generation g"
    " JOIN conversations_message m ON m.id = g.answer_id ORDER BY g.created_at DESC LIMIT 1"
)


async def ask(page: Page, question: str) -> None:
    await page.fill("#composer", question)
    await page.keyboard.press("Enter")


async def some_text(page: Page, chars: int = 20) -> str:
    """Wait until the newest answer shows this much, and return it."""
    await page.wait_for_function(
        "n => (document.querySelector('.answer:last-of-type .markdown')?.innerText.length ?? 0) >= n",
        arg=chars,
    )
    return await page.locator(".answer .markdown").last.inner_text()


async def until_ended(page: Page) -> None:
    await expect(page.locator(".send:not(.stop)")).to_be_visible()


async def drawn(page: Page) -> str:
    """The newest answer's markup once it is settled: maths and highlighting load when needed."""
    answer = page.locator(".answer .markdown").last
    before, now = "", await answer.inner_html()
    while before != now:
        await page.wait_for_timeout(SETTLED_MS)
        before, now = now, await answer.inner_html()
    return now


def newest(site: sites.Site) -> sqlite3.Row:
    return rows(site, NEWEST)[0]


async def test_ask_reload_in_the_middle_and_lose_nothing(
    any_site: sites.Site, context: BrowserContext
) -> None:
    await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=any_site.url)
    page = await sign_in(context, any_site)
    await ask(page, "Tell me a long story about a lighthouse keeper and the sea.")
    before = await some_text(page)
    await page.reload()
    after = await some_text(page, len(before))
    assert after.startswith(before[:20])
    await until_ended(page)

    row = newest(any_site)
    assert row["status"] == "finished"
    shown = await drawn(page)
    await page.locator(".answer").last.hover()
    await page.get_by_role("button", name="Copy", exact=False).last.click()
    assert await page.evaluate("navigator.clipboard.readText()") == row["content"], "byte for byte"
    await page.reload()
    await some_text(page)
    assert await drawn(page) == shown, "its own render, again"


async def test_stop_frees_the_slot_and_keeps_the_text(any_site: sites.Site, context: BrowserContext) -> None:
    page = await sign_in(context, any_site)
    await ask(page, "Tell me a very long story about every harbour of the world.")
    await some_text(page)
    await page.get_by_role("button", name="Stop").click()
    await until_ended(page)
    row = newest(any_site)
    assert (row["status"], row["finish_reason"]) == ("cancelled", "cancelled")
    assert row["content"]
    assert '"completion_tokens"' in row["usage"]
    async with asyncio.timeout(PATIENCE_S):
        while await metric(page, 'chatsite_requests_running{class="quick"}'):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    # The step that was under way when the slot was freed may still be told.
    await asyncio.sleep(IDLE_S)
    steps = await metric(page, "chatsite_engine_steps_total")
    await asyncio.sleep(IDLE_S)
    assert await metric(page, "chatsite_engine_steps_total") == steps, "an engine without work makes no step"
    await page.reload()
    shown = await some_text(page, 1)
    assert shown


async def metric(page: Page, series: str) -> float:
    answer = await page.request.get(page.url.partition("/c/")[0] + "/metrics")
    lines = (await answer.text()).splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(series))
