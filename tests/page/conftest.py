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
from playwright.async_api import Browser, Page, async_playwright

from bench import site as sites
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


@pytest_asyncio.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture
async def modules(browser: Browser, files: str) -> Page:
    """An empty page from which the modules can be imported."""
    page = await browser.new_page()
    await page.goto(files)
    return page


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sites.Site]:
    """The whole site on the emulated engine."""
    # 50 tokens a second: answers take three seconds, long enough to act while they stream.
    settings = {
        "CHATSITE_ENGINE": "emulated",
        "CHATSITE_EMULATED_STEP_S": "0.02",
        "RATE_LIMIT_PER_MINUTE": "10000",
    }
    with sites.embedded(settings, tmp_path_factory.mktemp("page")) as site:
        site.wait("/readyz")
        yield site


@pytest.fixture(scope="session")
def signed_in(site: sites.Site) -> str:
    """The administrator's cookie."""
    return site.sign_in()


async def sign_in(page: Page, site: sites.Site) -> None:
    """Through the form, to an empty chat."""
    await page.goto(site.url)
    await page.fill("input[name=login]", sites.EMAIL)
    await page.fill("input[name=password]", sites.PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".welcome")
