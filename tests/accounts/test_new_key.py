"""A security key is added in a real browser, by the form of the site's own and the library's script."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, expect

from tests.support import site as sites
from tests.support.browser import EMULATED, open_page
from tests.support.prepared import prepared_site

pytestmark = pytest.mark.browser

KEY = {
    "protocol": "ctap2",
    "transport": "usb",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
}


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sites.Site]:
    """Of its own: whoever has a key is asked for it at every door."""
    with prepared_site(EMULATED, tmp_path_factory.mktemp("keys")) as site:
        yield site


async def test_a_key_is_added_under_its_name(browser: Browser, site: sites.Site) -> None:
    url = site.url.replace("127.0.0.1", "localhost")  # keys belong to a name, never to an address
    page = await open_page(browser, locale="en-GB")
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})
    await page.goto(f"{url}/accounts/login/?next=/accounts/2fa/webauthn/add/")
    await page.fill("input[name=login]", sites.EMAIL)
    await page.fill("input[name=password]", sites.PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/reauthenticate/**")
    await page.fill("input[name=password]", sites.PASSWORD)
    await page.keyboard.press("Enter")
    await page.get_by_label("Name of the key").fill("On the key ring")
    await page.get_by_role("button", name="Add a key").click()
    await page.wait_for_url(lambda where: not where.endswith("/add/"))
    await page.goto(f"{url}/accounts/2fa/webauthn/")
    await expect(page.locator(".places li")).to_contain_text("On the key ring")
