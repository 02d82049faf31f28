"""The page's own modules on a small file server, and the page on a real site, in the system's Chromium."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page

from bench import site as sites
from tests.browser import open_chat, open_context
from tests.source import ROOT

HERE = Path(__file__).resolve().parent
STATIC_TAG = re.compile(r"\{% static '([^']+)' %\}")


def import_map() -> str:
    """The import map, with addresses of the file server."""
    shell = (ROOT / "templates/importmap.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="importmap"[^>]*>(.*?)</script>', shell, re.DOTALL)
    assert found
    return json.dumps(json.loads(STATIC_TAG.sub(r"/static/\1", found[1])))


class Files(SimpleHTTPRequestHandler):
    """`/static/` from the project, `/js/` from the tests, `/` a page with the import map."""

    def translate_path(self, path: str) -> str:
        root = ROOT if path.startswith("/static/") else HERE
        return str(root / path.partition("?")[0].lstrip("/"))

    def do_GET(self) -> None:
        if self.path != "/":
            super().do_GET()
            return
        page = (
            f'<!doctype html><script type="importmap">{import_map()}</script><title>modules</title>'.encode()
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: what fails is told by the browser."""


@pytest.fixture(scope="session")
def files() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest_asyncio.fixture(loop_scope="session")
async def modules(browser: Browser, files: str) -> Page:
    """An empty page from which the modules can be imported."""
    page = await browser.new_page()
    await page.goto(files)
    return page


@pytest.fixture(scope="session")
def site(emulated_site: sites.Site) -> sites.Site:
    return emulated_site


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, site: sites.Site, person: str) -> AsyncIterator[Page]:
    """An empty chat of a new member, who may use the clipboard. A script that throws fails the test."""
    context = await open_context(browser, site, person, permissions=["clipboard-read", "clipboard-write"])
    thrown: list[str] = []
    context.on("weberror", lambda error: thrown.append(str(error.error)))
    yield await open_chat(context, site)
    assert not thrown


async def sign_in(page: Page, site: sites.Site) -> None:
    """Through the form, to an empty chat."""
    await page.goto(site.url)
    await page.fill("input[name=login]", sites.EMAIL)
    await page.fill("input[name=password]", sites.PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".welcome")


async def choose_in_menu(row: Locator, item: str) -> None:
    """Of a conversation's menu. Its button is shown by focusing it: from under a mouse the row may
    move away when the list changes."""
    button = row.locator(".row-menu")
    await button.focus()
    await button.click()
    await row.get_by_role("menuitem", name=item).click()
