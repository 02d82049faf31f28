"""The page's main states as pictures, light and dark: `python -m bench.screenshots` → docs/screenshots.

An own site on the emulated engine, the system's Chromium, everything done as a person would do it.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable

from PIL import Image
from playwright.async_api import Browser, Page, async_playwright, expect

from bench import site as sites
from bench.results import ROOT
from tests import services

TARGET = ROOT / "docs/screenshots"

WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}

COLOURS = 128
"""The page has few colours; so a picture stays under 150 kB."""

ANSWER_MS = 60_000

QUESTIONS = (
    "杭州西湖附近有什么好吃的？",
    "Compare a queue with a priority queue, with code",
    "Draft the weekly report",
)

SETTLE_MS = 500
"""Transitions end within 150 ms; code is coloured when its grammar has come."""


async def ask(page: Page, question: str) -> None:
    await page.click(".new-chat")
    await page.fill("#composer", question)
    await page.keyboard.press("Enter")
    await expect(page.locator(".answer .tools button").first).to_be_visible(timeout=ANSWER_MS)


async def begin(page: Page) -> None:
    """An empty page, ready to type."""
    await page.goto(page.url.partition("/c/")[0])
    await page.wait_for_selector(".welcome")


async def open_second(page: Page) -> None:
    await page.get_by_role("link", name=QUESTIONS[1]).first.click()
    await expect(page.locator(".answer .tools button").first).to_be_visible()


async def answering(page: Page) -> None:
    await open_second(page)
    await page.fill("#composer", "And which one is fairer?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".answer .markdown").nth(1)).to_be_visible(timeout=ANSWER_MS)
    await page.fill("#composer", "Thank you. One more thing")
    await page.keyboard.press("Enter")


async def searching(page: Page) -> None:
    await begin(page)
    await page.keyboard.press("Control+k")
    await page.keyboard.type("西湖")
    await page.locator(".hit").first.click()


async def sharing(page: Page) -> None:
    await open_second(page)
    await page.get_by_role("button", name="Share", exact=True).click()
    await page.wait_for_selector("dialog[open]")


async def settings(page: Page) -> None:
    await begin(page)
    await page.get_by_role("button", name="No preset").click()
    await page.get_by_role("menuitem", name="Manage presets").click()
    await page.get_by_role("button", name="New preset").click()
    await page.fill("input[name=name]", "Brief")
    await page.fill("textarea[name=system]", "Answer in one sentence. Today is {{date}}.")


async def phone(page: Page) -> None:
    await page.keyboard.press("Control+b")
    await page.get_by_role("link", name=QUESTIONS[0]).first.click()
    await expect(page.locator(".answer .tools button").first).to_be_visible()


async def phone_list(page: Page) -> None:
    await page.keyboard.press("Control+b")
    await page.wait_for_selector(".row")


STATES: dict[str, tuple[dict[str, int], str, Callable[[Page], Awaitable[None]]]] = {
    "1-beginning": (WIDE, "en-GB", begin),
    "2-answer": (WIDE, "en-GB", open_second),
    "3-typing-ahead": (WIDE, "en-GB", answering),
    "4-search": (WIDE, "en-GB", searching),
    "5-share": (WIDE, "en-GB", sharing),
    "6-settings": (WIDE, "en-GB", settings),
    "7-phone-answer": (PHONE, "zh-CN", phone),
    "8-phone-list": (PHONE, "zh-CN", phone_list),
}
"""Name → window, language, how to get there."""


async def take(browser: Browser, site: sites.Site, cookie: str) -> None:
    for name, (window, locale, reach) in STATES.items():
        for scheme in ("light", "dark"):
            context = await browser.new_context(viewport=window, locale=locale, color_scheme=scheme)  # type: ignore[arg-type]
            key, _, value = cookie.partition("=")
            await context.add_cookies([{"name": key, "value": value, "url": site.url}])
            page = await context.new_page()
            await page.goto(site.url)
            await page.wait_for_selector(".welcome")
            await reach(page)
            await page.wait_for_timeout(SETTLE_MS)
            picture = Image.open(io.BytesIO(await page.screenshot()))
            picture.convert("RGB").quantize(COLOURS).save(TARGET / f"{name}-{scheme}.png", optimize=True)
            await context.close()


async def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    chromium = services.chromium()
    if not chromium:
        raise SystemExit("no chromium on PATH; CHATSITE_TEST_CHROMIUM may name one")
    with sites.embedded({"CHATSITE_ENGINE": "emulated", "RATE_LIMIT_PER_MINUTE": "10000"}) as site:
        site.wait("/readyz")
        cookie = site.sign_in()
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            context = await browser.new_context(viewport={"width": 1280, "height": 800})
            key, _, value = cookie.partition("=")
            await context.add_cookies([{"name": key, "value": value, "url": site.url}])
            page = await context.new_page()
            await page.goto(site.url)
            await page.wait_for_selector(".welcome")
            for question in QUESTIONS:
                await ask(page, question)
            await context.close()
            await take(browser, site, cookie)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
