"""The administrators' banner: shown to everybody as text, and put away for good by who has read it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.support import site as sites

pytestmark = pytest.mark.browser

TEXT = "Maintenance on Saturday <b>from</b> 9"


@pytest.fixture
def announced(site: sites.Site) -> Iterator[None]:
    model = "from chatsite.announcements.models import Announcement; Announcement.objects"
    site.manage("shell", "-c", f"{model}.create(text={TEXT!r}, important=True)")
    yield
    site.manage("shell", "-c", f"{model}.all().delete()")


@pytest.mark.usefixtures("announced")
async def test_it_is_shown_until_it_is_put_away(page: Page) -> None:
    await page.reload()
    banner = page.locator(".banner.warn", has_text="Maintenance")
    await expect(banner.locator("span")).to_have_text(TEXT)
    await banner.get_by_role("button", name="Put away").click()
    await expect(banner).to_have_count(0)
    await page.reload()
    await expect(page.locator(".welcome")).to_be_visible()
    await expect(page.locator(".model")).to_be_visible()
    await expect(banner).to_have_count(0)
