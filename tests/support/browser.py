"""One Chromium and one site on the emulated engine for a whole run; a new person and profile for each test.

The browser belongs to an event loop, so all tests that drive it share the session's (tests/conftest.py sees
to it); an asynchronous fixture of theirs says `loop_scope="session"` too. People are their own: what one
test leaves in its sidebar, no other sees.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.support import services
from tests.support import site as sites
from tests.support.prepared import prepared_site
from tests.support.waiting import PATIENCE_MS

expect.set_options(timeout=PATIENCE_MS)

PEOPLE = 150
"""More than there are tests that drive the browser; each costs a row."""

EMULATED = {
    "CHATSITE_ENGINE": "emulated",
    # 50 tokens a second: answers take three seconds, long enough to act while they stream.
    "CHATSITE_EMULATED_STEP_S": "0.02",
    "RATE_LIMIT_PER_MINUTE": "10000",
}


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the Chromium to drive (`executable_path` for Playwright)."""
    return services.chromium()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session_browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def browser(session_browser: Browser) -> AsyncIterator[Browser]:
    """The browser, without profiles before and after: a page that is left open would go on streaming."""
    yield session_browser
    for context in session_browser.contexts:
        await context.close()


@pytest.fixture(scope="session")
def emulated_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sites.Site]:
    """The whole site, on SQLite."""
    with prepared_site(EMULATED, tmp_path_factory.mktemp("emulated")) as site:
        yield site


@pytest.fixture(scope="session")
def cookies(emulated_site: sites.Site) -> Iterator[str]:
    return iter(emulated_site.people(PEOPLE))


@pytest.fixture
def person(cookies: Iterator[str]) -> str:
    """The cookie of a member who has just come: no conversation, no choice made."""
    return next(cookies)


async def new_context(browser: Browser, **options: object) -> BrowserContext:
    """A profile of nobody's, as patient as every test."""
    context = await browser.new_context(**options)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    return context


async def open_page(browser: Browser, **options: object) -> Page:
    """The one page of a profile of nobody's."""
    return await (await new_context(browser, **options)).new_page()


async def open_context(browser: Browser, site: sites.Site, cookie: str, **options: object) -> BrowserContext:
    """A profile that is signed in already; English and 1280 × 800 unless `options` says otherwise."""
    looks: dict[str, object] = {"locale": "en-GB", "viewport": {"width": 1280, "height": 800}, **options}
    context = await new_context(browser, **looks)
    name, _, value = cookie.partition("=")
    await context.add_cookies([{"name": name, "value": value, "url": site.url}])
    return context


async def open_chat(context: BrowserContext, site: sites.Site) -> Page:
    """An empty chat, ready to type and connected."""
    page = await context.new_page()
    await page.goto(site.url)
    await page.wait_for_selector(".welcome")
    return page
