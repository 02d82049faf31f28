"""Sites on either engine, a profile that minds its page, and the rows read past the site."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from bench import site as sites


@pytest.fixture(
    params=[
        pytest.param("emulated_site", id="emulated"),
        pytest.param("real_site", id="real", marks=pytest.mark.real_engine),
    ]
)
def any_site(request: pytest.FixtureRequest) -> sites.Site:
    site: sites.Site = request.getfixturevalue(request.param)
    return site


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser, any_site: sites.Site) -> AsyncIterator[BrowserContext]:
    """A fresh browser profile. A page that throws, or asks another origin for anything, fails its test."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    problems: list[str] = []
    context.on("weberror", lambda error: problems.append(str(error.error)))
    context.on("console", lambda line: line.type == "error" and problems.append(line.text))
    own = (any_site.url, any_site.url.replace("http", "ws"), "data:", "blob:")
    context.on("request", lambda one: None if one.url.startswith(own) else problems.append(one.url))
    yield context
    await context.close()
    assert not problems


async def sign_in(context: BrowserContext, site: sites.Site) -> Page:
    """The administrator's chat page, through the sign-in form."""
    page = await context.new_page()
    await page.goto(site.url)
    await page.fill("input[name=login]", sites.EMAIL)
    await page.fill("input[name=password]", sites.PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#composer")
    return page


def rows(site: sites.Site, query: str, *values: object) -> list[sqlite3.Row]:
    """What the embedded site has stored."""
    with closing(sqlite3.connect(f"file:{site.data_dir}/chatsite.sqlite3?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        return database.execute(query, values).fetchall()
