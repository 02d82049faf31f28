"""axe finds nothing in both themes and languages; 360 px is wide enough; nothing leaves the origin."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext

from tests.page.driving import check, sign_in
from tests.support import site as sites
from tests.support.browser import new_context

pytestmark = pytest.mark.browser

LOOKS = [
    pytest.param((locale, width), id=f"{locale}-{width}")
    for locale, width in [("en-GB", 1280), ("zh-CN", 360)]
]


@pytest_asyncio.fixture(loop_scope="session")
async def context(
    browser: Browser, site: sites.Site, request: pytest.FixtureRequest
) -> AsyncIterator[BrowserContext]:
    locale, width = request.param
    context = await new_context(
        browser,
        locale=locale,
        viewport={"width": width, "height": 740},
        bypass_csp=True,
        reduced_motion="reduce",
    )
    foreign: list[str] = []
    context.on("request", lambda one: None if one.url.startswith(site.url) else foreign.append(one.url))
    yield context
    await context.close()
    assert not [url for url in foreign if not url.startswith(("data:", "blob:"))]


@pytest.mark.parametrize("context", LOOKS, indirect=True)
async def test_axe_finds_nothing(context: BrowserContext, site: sites.Site) -> None:
    page = await context.new_page()
    for path in ("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/no-such-page"):
        await page.goto(site.url + path)
        await check(page, path)
    await sign_in(page, site)
    await page.wait_for_function("document.querySelector('.model')")
    await check(page, "empty chat")
    await page.fill("#composer", "Show me a table and some code. 请给我一个表格。")
    await page.click(".send")
    await page.wait_for_selector(".answer .tools button")
    await check(page, "answer")
    await page.focus("#composer")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("表格")
    await page.wait_for_selector(".hit")
    await check(page, "search")
    await page.keyboard.press("Escape")
    if await page.query_selector(".backdrop"):
        await page.click(".backdrop", position={"x": 340, "y": 400})
    await page.locator(".bar button").last.click()
    await page.locator("dialog .button.primary").click()
    await page.wait_for_selector("dialog input[readonly]")
    link = await page.input_value("dialog input[readonly]")
    await check(page, "share")
    await page.locator("dialog .ends button").click()
    for tab in range(7):
        await page.locator(".tab").nth(tab).click()
        await page.wait_for_selector(".settings-body > :not([hidden]) > :not(.soft)")
        await check(page, f"settings {tab}")
        if tab in (2, 3):
            await page.locator(".settings-body .ends .button:visible").click()
            await check(page, f"settings {tab}, a new entry")
    await page.keyboard.press("Escape")
    await page.hover(".answer")
    await page.locator("#composer").blur()
    await page.keyboard.press("?")
    await page.wait_for_selector("dialog[open]")
    await check(page, "shortcuts")
    await page.keyboard.press("Escape")
    if not await page.query_selector(".account-button"):
        await page.keyboard.press("Control+b")
    await page.click(".account-button")
    await check(page, "account menu")
    await page.goto(f"{site.url}/c/00000000-0000-4000-8000-000000000000")
    await page.wait_for_selector("h1")
    await check(page, "no such conversation")
    await page.goto(link)
    await page.wait_for_selector(".answer .markdown")
    await check(page, "shared page")
    factors = ("/accounts/2fa/", "/accounts/2fa/totp/activate/", "/accounts/2fa/webauthn/add/")
    for path in ("/accounts/password/change/", "/accounts/sessions/", *factors):
        await page.goto(site.url + path)
        if "reauthenticate" in page.url:
            await check(page, "are you it")
            await page.fill("[name=password]", sites.PASSWORD)
            await page.keyboard.press("Enter")
            await page.wait_for_url(site.url + path)
        await check(page, path)
