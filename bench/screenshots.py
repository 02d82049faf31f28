"""The pictures of the README: `python -m bench.screenshots [LANGUAGE …]` → docs/screenshots/<language>.

An own site with the people and conversations of bench/demo, which are written by hand; behind its queue a
server that gives the written answers at a model's pace. Everything is done in the system's Chromium as a
person would do it, in both themes, and the queue is recorded as it moves.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Browser, Page, async_playwright, expect

from bench.demo import LANGUAGES, Demo, read_demo
from bench.demo.queue_animation import VIEWPORT, animate
from bench.demo.scripted_model import scripted_model
from bench.results import ROOT
from tests.support import services
from tests.support import site as sites
from tests.support.errors import BenchmarkError

TARGET = ROOT / "docs/screenshots"

WIDE: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
TABLE: dict[str, Any] = {"viewport": {"width": 1280, "height": 824}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 780},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}

COLOURS = 128
"""The page has few colours; so a picture stays under 150 kB."""

SETTINGS = {
    "CHATSITE_ENGINE": "remote",
    "CHATSITE_MAX_RUNNING": "2",
    "CHATSITE_RESERVED_SLOTS": "0",
    "CHATSITE_QUICK_CHARS": "0",
    "CHATSITE_EXPECTED_OUTPUT_TOKENS": "80",
}
"""Two answers at once and one line for all questions, so that five people make a queue; and answers of the
demo's length are expected before enough were seen."""

SETTLE_MS = 600
"""Transitions end within 150 ms; code is coloured when its grammar has come."""


async def open_conversation(page: Page, title: str) -> None:
    await page.get_by_role("link", name=title).first.click()
    await expect(page.locator(".answer .tools button").first).to_be_visible()
    await page.locator("#composer").blur()


async def answer(page: Page, demo: Demo) -> None:
    await open_conversation(page, demo.title_of("answer"))


async def search(page: Page, demo: Demo) -> None:
    await page.keyboard.press("Control+k")
    await page.keyboard.type(demo.search)
    await page.locator(".hit").first.click()
    await expect(page.locator(".answer .tools button").first).to_be_visible()
    await page.locator("#composer").blur()


async def usage(page: Page, demo: Demo) -> None:
    await page.goto(page.url.partition("/c/")[0].rstrip("/") + "/admin/usage/")
    await page.wait_for_selector(".chart canvas")


async def phone(page: Page, demo: Demo) -> None:
    await page.keyboard.press("Control+b")
    await open_conversation(page, demo.title_of("phone"))


async def phone_list(page: Page, demo: Demo) -> None:
    await page.keyboard.press("Control+b")
    await page.wait_for_selector(".row")


STATES: dict[str, tuple[dict[str, Any], Callable[[Page, Demo], Awaitable[None]]]] = {
    "answer": (WIDE, answer),
    "search": (WIDE, search),
    "usage": (TABLE, usage),
    "phone-answer": (PHONE, phone),
    "phone-list": (PHONE, phone_list),
}
"""Name → window, how to get there."""


async def open_page(browser: Browser, site: sites.Site, cookie: str, **looks: Any) -> Page:
    """An empty chat of this person."""
    context = await browser.new_context(**looks)
    key, _, value = cookie.partition("=")
    await context.add_cookies([{"name": key, "value": value, "url": site.url}])
    page = await context.new_page()
    await page.goto(site.url)
    await page.wait_for_selector(".welcome")
    return page


async def keep(page: Page, path: Path) -> None:
    await page.wait_for_timeout(SETTLE_MS)
    picture = Image.open(io.BytesIO(await page.screenshot()))
    picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)


async def take(browser: Browser, site: sites.Site, cookies: list[str], demo: Demo, folder: Path) -> None:
    """All pictures of one language."""
    for name, (window, reach) in STATES.items():
        for scheme in ("light", "dark"):
            looks = {**window, "locale": demo.locale, "color_scheme": scheme}
            page = await open_page(browser, site, cookies[0], **looks)
            await reach(page, demo)
            await keep(page, folder / f"{name}-{scheme}.png")
            await page.context.close()
    page = await open_page(browser, site, cookies[0], locale=demo.locale, viewport=VIEWPORT)
    await animate(page, site, cookies[1:], demo, folder / "queue.gif")
    await page.context.close()


def seed(site: sites.Site, language: str) -> list[str]:
    """The demo's people and conversations on this site; returns their cookies. Raises BenchmarkError."""
    command = [sys.executable, "-m", "bench.demo.seed", language]
    done = subprocess.run(command, cwd=ROOT, env=site.environment, capture_output=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"no demo in {language}: {done.stderr.decode(errors='replace')[-1000:]}")
    cookies: list[str] = json.loads(done.stdout)
    return cookies


async def main(language: str) -> None:
    demo, folder = read_demo(language), TARGET / language
    folder.mkdir(parents=True, exist_ok=True)
    with (
        scripted_model(demo.model, dict(demo.exchanges()), demo.token_s) as url,
        sites.embedded({**SETTINGS, "CHATSITE_REMOTE_URLS": url}) as site,
    ):
        site.wait("/readyz")
        cookies = seed(site, language)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=services.chromium(), args=["--no-sandbox", "--disable-gpu"],
                env={**os.environ, "LC_ALL": f"{demo.locale.replace('-', '_')}.UTF-8"},
            )  # fmt: skip
            await take(browser, site, cookies, demo, folder)
            await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "languages", nargs="*", metavar="LANGUAGE", help=f"of {', '.join(LANGUAGES)}; else all"
    )
    chosen = parser.parse_args().languages or LANGUAGES
    if not services.chromium():
        raise SystemExit("no chromium on PATH; CHATSITE_TEST_CHROMIUM may name one")
    for one in chosen:
        asyncio.run(main(one))
