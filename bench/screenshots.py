"""The page's main states as pictures, light and dark: `python -m bench.screenshots` → docs/screenshots.

An own site on the emulated engine, the system's Chromium, everything done as a person would do it. With
`--real` the one picture of a conversation with the embedded model, on the real engine.
"""

from __future__ import annotations

import argparse
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
    # The other theme's answer may still be under way.
    await expect(page.locator(".send.stop")).to_have_count(0, timeout=ANSWER_MS)
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


REAL_QUESTIONS = (
    "What is a queue, in one sentence?",
    "Write a short Python function that reverses a string.",
)
"""What a model of 135 million parameters can answer."""


async def open_page(browser: Browser, site: sites.Site, cookie: str, **looks: object) -> Page:
    """An empty chat of this person."""
    context = await browser.new_context(**{"viewport": WIDE, **looks})  # type: ignore[arg-type]
    key, _, value = cookie.partition("=")
    await context.add_cookies([{"name": key, "value": value, "url": site.url}])
    page = await context.new_page()
    await page.goto(site.url)
    await page.wait_for_selector(".welcome")
    return page


async def keep(page: Page, name: str) -> None:
    await page.wait_for_timeout(SETTLE_MS)
    picture = Image.open(io.BytesIO(await page.screenshot()))
    picture.convert("RGB").quantize(COLOURS).save(TARGET / f"{name}.png", optimize=True)


async def take(browser: Browser, site: sites.Site, cookie: str) -> None:
    """All states."""
    page = await open_page(browser, site, cookie)
    for question in QUESTIONS:
        await ask(page, question)
    await page.context.close()
    for name, (window, locale, reach) in STATES.items():
        for scheme in ("light", "dark"):
            looks = {"viewport": window, "locale": locale, "color_scheme": scheme}
            touch = {"has_touch": True, "is_mobile": True} if window is PHONE else {}
            page = await open_page(browser, site, cookie, **looks, **touch)
            await reach(page)
            await keep(page, f"{name}-{scheme}")
            await page.context.close()


async def take_real(browser: Browser, site: sites.Site, cookie: str) -> None:
    """The conversation with the model."""
    page = await open_page(browser, site, cookie)
    for question in REAL_QUESTIONS:
        await page.fill("#composer", question)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/c/*")
        await expect(page.locator(".send.stop")).to_have_count(0, timeout=ANSWER_MS)
    await page.locator("#composer").blur()
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        await keep(page, f"conversation-{scheme}")
    await page.context.close()


async def main(*, real: bool) -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    chromium = services.chromium()
    if not chromium:
        raise SystemExit("no chromium on PATH; CHATSITE_TEST_CHROMIUM may name one")
    engine = {"CHATSITE_ENGINE": "vllm" if real else "emulated", "RATE_LIMIT_PER_MINUTE": "10000"}
    with sites.embedded(engine) as site:
        site.wait("/readyz")
        cookie = site.sign_in()
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            await (take_real if real else take)(browser, site, cookie)
            await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", action="store_true", help="the conversation with the embedded model")
    asyncio.run(main(real=parser.parse_args().real))
