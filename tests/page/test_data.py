"""Export, import, retention and erasure as a person does them, in Chromium; axe finds nothing on the way.

With CHATSITE_TEST_SCREENSHOTS naming a folder, the walk leaves its pictures there.
"""

from __future__ import annotations

import csv
import json
import os
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.page.driving import choose_in_menu, sign_in
from tests.support import axe
from tests.support import site as sites
from tests.support.browser import new_context
from tests.support.chatgpt_nodes import MARK, PICTURE, Turn, chatgpt_export, chatgpt_node, parts
from tests.support.prepared import prepared_site

pytestmark = pytest.mark.browser

LOOKS = {
    "en-light-1280": ("en-GB", "light", 1280),
    "en-dark-360": ("en-GB", "dark", 360),
    "zh-dark-1280": ("zh-CN", "dark", 1280),
    "zh-light-360": ("zh-CN", "light", 360),
}


@pytest.fixture(scope="module")
def own_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sites.Site]:
    """A site to itself: the last flow erases an account."""
    settings = {"CHATSITE_ENGINE": "emulated", "CHATSITE_EMULATED_STEP_S": "0.002"}
    with prepared_site(settings, tmp_path_factory.mktemp("data")) as site:
        yield site


@asynccontextmanager
async def opened(browser: Browser, site: sites.Site, **options: object) -> AsyncIterator[Page]:
    context = await new_context(browser, **options)
    page = await context.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    await sign_in(page, site)
    yield page
    await context.close()


async def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("CHATSITE_TEST_SCREENSHOTS"):
        await page.screenshot(path=Path(folder) / f"{name}.png")


async def ask(page: Page, text: str) -> None:
    await page.fill("#composer", text)
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".answer .tools button")


async def open_data(page: Page) -> None:
    """Settings → Data, by the menu at the foot of the sidebar."""
    if not await page.locator(".account-button").is_visible():
        await page.locator(".bar .icon-button").first.click()
    await page.click(".account-button")
    await page.locator("[role=menuitem]", has=page.locator("text=/^(Settings|设置)$/")).click()
    await page.locator(".tab", has_text="Data").or_(page.locator(".tab", has_text="数据")).click()
    await page.wait_for_selector(".settings-body .part")


@pytest.mark.parametrize("look", LOOKS)
async def test_the_dialogs_are_well_made(browser: Browser, own_site: sites.Site, look: str) -> None:
    locale, scheme, width = LOOKS[look]
    options = {"locale": locale, "color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    async with opened(browser, own_site, bypass_csp=True, **options) as page:
        await ask(page, "杭州西湖附近有什么好吃的？ And `code`?")
        await page.locator(".bar [aria-label=Export], .bar [aria-label=导出]").click()
        await page.wait_for_selector("dialog[open] .choice")
        await picture(page, f"export-{look}")
        assert await axe.run(page) == []
        await page.keyboard.press("Escape")
        await open_data(page)
        await page.locator(".part .danger").click()
        await page.wait_for_selector("input[name=proof]")
        await picture(page, f"data-{look}")
        assert await axe.run(page) == []
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await page.evaluate(overflow) <= 0


def odd_export(id: str) -> list[object]:
    """Pictures in more messages than the page names, marks without a source, and nodes that are left out."""
    root = "root", {"id": "root", "message": None, "parent": None, "children": []}
    question = chatgpt_node(Turn("q", "root", "user", "Which of these pictures shows a cat?"))
    pictures = [
        chatgpt_node(Turn(f"picture-{n}", "q", "user", "x"), content=parts(PICTURE, f"Picture {n}"))
        for n in range(23)
    ]
    odd = [
        chatgpt_node(Turn("cites", "q", "assistant", f"The second one.{MARK}")),
        chatgpt_node(Turn("6f1d0c8e-2a37-4f0e-9f7b-1c2d3e4f5a6b", "q", "tool", "x")),
        chatgpt_node(Turn("nobody", "q", "user", "x"), author=None),
    ]
    nodes = [root, *((node["id"], node) for node in (question, *pictures, *odd))]
    title = "Cats, dogs and a title that is long enough to be broken on a narrow screen"
    return [chatgpt_export(nodes, id=id, title=title), None]


@pytest.mark.parametrize("look", LOOKS)
async def test_an_import_says_what_it_replaced_and_left_out(
    browser: Browser, own_site: sites.Site, tmp_path: Path, look: str
) -> None:
    locale, scheme, width = LOOKS[look]
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps(odd_export(look)))
    options = {"locale": locale, "color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    async with opened(browser, own_site, bypass_csp=True, **options) as page:
        await open_data(page)
        await expect(page.locator(".import-report")).to_have_count(0)
        await page.set_input_files("dialog input[type=file]", path)
        report = page.locator(".import-report").first
        await expect(report).to_contain_text("25")
        await report.scroll_into_view_if_needed()
        await picture(page, f"report-folded-{look}")
        await report.locator("summary").first.click()
        await report.locator("summary", has_text="23").click()
        places = report.locator(".places").filter(has_text="picture-0")
        await expect(places.locator("code")).to_have_count(20)
        await expect(places.locator("li").last).to_contain_text("3")
        await report.scroll_into_view_if_needed()
        await picture(page, f"report-{look}")
        await places.locator("li").last.scroll_into_view_if_needed()
        await picture(page, f"report-end-{look}")
        assert await axe.run(page) == []
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await page.evaluate(overflow) <= 0
        async with page.expect_download() as download:
            await report.locator("a[download]").click()
        await (await download.value).save_as(tmp_path / "all.csv")
        rows = list(csv.reader((tmp_path / "all.csv").read_text("utf-8-sig").splitlines()))
        assert len([row for row in rows if row[1].startswith("picture-")]) == 23
        await page.locator(".entries button").first.click()
        await expect(page.locator(".import-report")).to_have_count(0)


async def test_out_and_in_again(browser: Browser, own_site: sites.Site, tmp_path: Path) -> None:
    async with opened(browser, own_site, locale="en-GB") as page:
        await ask(page, "Why is the sky blue?")
        title = "Why is the sky blue?"
        saved = {}
        for format in ("Markdown", "Web page", "PDF", "Word", "JSON"):
            await page.click(".bar [aria-label=Export]")
            await page.locator("dialog .choice", has_text=format).locator("input").check()
            async with page.expect_download() as download:
                await page.click("dialog button[type=submit]")
            saved[format] = tmp_path / (await download.value).suggested_filename
            await (await download.value).save_as(saved[format])
            await page.wait_for_selector("dialog", state="detached")
        assert title in saved["Markdown"].read_text()
        assert title in saved["Web page"].read_text()
        assert saved["PDF"].read_bytes()[:5] == b"%PDF-"
        assert "word/document.xml" in zipfile.ZipFile(saved["Word"]).namelist()
        record = json.loads(saved["JSON"].read_text())
        assert [one["role"] for one in record["messages"]] == ["user", "assistant"]

        await open_data(page)
        await page.select_option("select[name=format]", "json")
        async with page.expect_download() as download:
            await page.click("form.part button[type=submit]")
        await (await download.value).save_as(tmp_path / "all.zip")
        assert "account.json" in zipfile.ZipFile(tmp_path / "all.zip").namelist()

        other = tmp_path / "other.json"
        other.write_text(json.dumps(record | {"id": "elsewhere", "title": "Brought along"}))
        await page.set_input_files("dialog input[type=file]", other)
        await expect(page.locator(".entries")).to_contain_text("Imported: 1 new")
        await page.set_input_files("dialog input[type=file]", other)
        await expect(page.locator(".entries")).to_contain_text("1 already here")
        other.write_text(json.dumps(record | {"id": ""}))
        await page.set_input_files("dialog input[type=file]", other)
        await expect(page.locator(".entries .trouble")).to_contain_text("$.id")
        await picture(page, "data-jobs")
        await page.keyboard.press("Escape")
        await expect(page.locator(".row-title", has_text="Brought along")).to_have_count(1)

        row = page.locator("li.row", has_text="Brought along")
        await choose_in_menu(row, "Keep for")
        await page.locator("dialog .choice", has_text="30 days").locator("input").check()
        await picture(page, "keep")
        await page.click("dialog button[type=submit]")
        await page.wait_for_selector(".toast >> text=Saved.")
