"""The page's own modules on a small file server, and the page on a real site, in the system's Chromium."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.page.modules import import_map
from tests.support import site as sites
from tests.support.browser import open_chat, open_context, open_page
from tests.support.source import ROOT

HERE = Path(__file__).resolve().parent


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
    page = await open_page(browser)
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
