"""The rows of a site's database, read past the site; signing in."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from playwright.async_api import BrowserContext, Page

from tests.support import site as sites


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
