"""A real browser goes to the provider and comes back: no policy of our pages stands in its way."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.support.browser import EMULATED, open_page
from tests.support.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIDProvider, running
from tests.support.prepared import prepared_site

pytestmark = pytest.mark.browser


async def test_the_button_leads_to_the_provider_and_back(browser: Browser, tmp_path) -> None:
    person = {"sub": "person-1", "email": "carol@example.org", "email_verified": True, "name": "Carol"}
    with running(OpenIDProvider(person=person)) as provider:
        settings = {
            "CHATSITE_OIDC_SERVER": provider.url, "CHATSITE_OIDC_CLIENT_ID": CLIENT_ID,
            "CHATSITE_OIDC_CLIENT_SECRET": CLIENT_SECRET, "CHATSITE_OIDC_ALLOW_HTTP": "true",
            "CHATSITE_OIDC_NAME": "Our provider",
        }  # fmt: skip
        with prepared_site(EMULATED | settings, tmp_path) as site:
            page = await open_page(browser)
            said: list[str] = []
            page.on("console", lambda message: said.append(message.text))
            await page.goto(f"{site.url}/accounts/login/")
            await page.get_by_role("button", name="Our provider").click()
            await expect(page.locator(".welcome")).to_be_visible()
            assert page.url == f"{site.url}/"
            assert not [text for text in said if "Content Security Policy" in text]
