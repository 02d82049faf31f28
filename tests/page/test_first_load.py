"""What the first visit costs on the wire, as this site compresses it; nothing comes from elsewhere."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, CDPSession, Page, expect

from tests.page.driving import FIRST_LOAD_BYTES, answered, ask
from tests.support import site as sites
from tests.support.browser import open_context

pytestmark = pytest.mark.browser


class Wire:
    """Every request of a page, and the bytes of its answers, headers included."""

    def __init__(self, devtools: CDPSession) -> None:
        self.addresses: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        devtools.on("Network.requestWillBeSent", self.asked)
        devtools.on(
            "Network.webSocketCreated",
            lambda event: self.addresses.update({event["requestId"]: event["url"]}),
        )
        devtools.on("Network.loadingFinished", self.ended)

    def asked(self, event: dict) -> None:  # type: ignore[type-arg]
        self.addresses[event["requestId"]] = event["request"]["url"]

    def connected(self, event: dict) -> None:  # type: ignore[type-arg]
        self.addresses[event["requestId"]] = event["url"]

    def ended(self, event: dict) -> None:  # type: ignore[type-arg]
        self.sizes[event["requestId"]] = int(event["encodedDataLength"])


async def listening(page: Page) -> Wire:
    devtools = await page.context.new_cdp_session(page)
    wire = Wire(devtools)
    await devtools.send("Network.enable")
    return wire


async def test_the_first_load_is_small_and_from_here_alone(
    browser: Browser, site: sites.Site, person: str, record_property
) -> None:
    context = await open_context(browser, site, person)
    page = await context.new_page()
    wire = await listening(page)
    await page.goto(site.url)
    await expect(page.locator(".model")).to_be_visible()
    await page.wait_for_load_state("networkidle")
    total = sum(wire.sizes.values())
    record_property("first_load_bytes", total)
    largest = sorted(wire.sizes, key=wire.sizes.__getitem__, reverse=True)[:8]
    assert len(wire.sizes) > 40, "the modules are among them"
    assert total <= FIRST_LOAD_BYTES, [(wire.addresses[one], wire.sizes[one]) for one in largest]

    # Code, maths and a dialog fetch their lazy parts.
    await ask(page, "Code and maths, please")
    await answered(page)
    await page.get_by_role("button", name="Share", exact=True).click()
    await page.wait_for_selector("dialog[open]")
    await page.wait_for_load_state("networkidle")
    own = (site.url, site.url.replace("http", "ws"), "data:", "blob:")
    assert not [one for one in wire.addresses.values() if not one.startswith(own)]
