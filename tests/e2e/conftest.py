"""Sites on either engine, a profile that minds its page, and the rows read past the site."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext

from tests.support import site as sites
from tests.support.browser import new_context


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
    context = await new_context(browser, viewport={"width": 1280, "height": 800}, locale="en-GB")
    problems: list[str] = []
    context.on("weberror", lambda error: problems.append(str(error.error)))
    context.on("console", lambda line: line.type == "error" and problems.append(line.text))
    own = (any_site.url, any_site.url.replace("http", "ws"), "data:", "blob:")
    context.on("request", lambda one: None if one.url.startswith(own) else problems.append(one.url))
    yield context
    await context.close()
    assert not problems
