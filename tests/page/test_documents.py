"""Documents in the composer and batches of them, in a real browser on the real site, emulated engine."""

from __future__ import annotations

import asyncio
import base64

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Download, Page, expect

from tests.page.driving import check
from tests.support import document_files as files
from tests.support import site as sites
from tests.support.browser import open_chat, open_context

pytestmark = pytest.mark.browser

NOTES = {
    "name": "周报 notes.md",
    "mimeType": "text/markdown",
    "buffer": "# 周报\nThe harbour opens.".encode(),
}
BROKEN = {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 broken"}

DROP = """([name, content]) => {
  const transfer = new DataTransfer();
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  transfer.items.add(new File([bytes], name));
  for (const type of ["dragenter", "dragover"]) {
    window.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
  window.dropped = () =>
    window.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""

PASTE = """(text) => {
  const transfer = new DataTransfer();
  transfer.setData("text/plain", text);
  const event = new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true });
  document.getElementById("composer").dispatchEvent(event);
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, site: sites.Site, person: str, request: pytest.FixtureRequest) -> Page:
    scheme, locale, width = getattr(request, "param", ("light", "en-GB", 1280))
    window = {"width": width, "height": 800}
    looks = {"locale": locale, "color_scheme": scheme, "viewport": window, "bypass_csp": True}
    return await open_chat(await open_context(browser, site, person, **looks), site)


async def attach(page: Page, *documents: dict) -> None:
    await page.set_input_files(".attach-field", list(documents))
    await uploaded(page, len(documents))


async def uploaded(page: Page, count: int) -> None:
    await expect(page.locator(".documents .document")).to_have_count(count)
    await expect(page.locator(".documents progress")).to_have_count(0)


async def saved(download: Download) -> bytes:
    return await asyncio.to_thread((await download.path()).read_bytes)


BIG5 = {
    "name": "會議.txt",
    "mimeType": "text/plain",
    "buffer": "會議將於下週三上午九點在三樓會議室舉行。".encode("big5"),
}


async def test_a_guessed_encoding_is_said_and_can_be_changed(page: Page) -> None:
    scan = {"name": "scan.pdf", "mimeType": "application/pdf", "buffer": files.scanned_pdf(12, "Scanned")}
    await attach(page, BIG5, scan)
    state = page.locator(".documents .document-state")
    await expect(state.nth(0)).to_contain_text("Big5 (Traditional Chinese)")
    await expect(state.nth(1)).to_contain_text("12 of 12 pages hold almost no text")
    menu = page.get_by_role("button", name="會議.txt was read as Big5 (Traditional Chinese). Change it")
    await menu.click()
    await page.get_by_role("menuitemradio", name="GB18030 (Simplified Chinese)").click()
    await expect(state.nth(0)).to_contain_text("GB18030")
    await page.get_by_role("button", name="會議.txt was read as GB18030").click()
    await page.get_by_role("menuitemradio", name="Big5").click()
    await expect(state.nth(0)).to_contain_text("Big5")
    await page.fill("#composer", "When?")
    await page.keyboard.press("Enter")
    await page.locator(".attached .document").first.click()
    await expect(page.locator(".document-text")).to_contain_text("會議將於下週三")


async def test_a_document_goes_with_its_question_and_can_be_looked_at(page: Page) -> None:
    await attach(page, NOTES)
    await expect(page.locator(".documents .document-state")).to_contain_text("tokens")
    await page.fill("#composer", "When?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".question .attached")).to_contain_text("周报 notes.md")
    await expect(page.locator(".documents")).to_have_count(0)
    await page.wait_for_url("**/c/*")
    await page.reload()
    await page.locator(".attached .document").click()
    await expect(page.locator(".document-text")).to_contain_text("The harbour opens.")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Save the original").click()
    assert await saved(await download.value) == NOTES["buffer"]


async def test_an_edited_question_keeps_its_document(page: Page) -> None:
    await attach(page, NOTES)
    await page.fill("#composer", "First words")
    await page.keyboard.press("Enter")
    await expect(page.locator(".answer .tools button").first).to_be_visible()
    await page.hover(".question")
    await page.get_by_role("button", name="Edit", exact=True).click()
    await page.fill(".question-editor textarea", "Other words")
    await page.locator(".question-editor").get_by_role("button", name="Send").click()
    await expect(page.locator(".question .siblings")).to_contain_text("2/2")
    await page.reload()
    await expect(page.locator(".question .attached")).to_contain_text("周报 notes.md")


async def test_dropped_and_pasted_documents(page: Page) -> None:
    await page.evaluate(DROP, ["dropped.txt", base64.b64encode(b"Dropped.").decode()])
    await expect(page.locator(".drop-zone")).to_be_visible()
    await page.evaluate("window.dropped()")
    await expect(page.locator(".drop-zone")).to_have_count(0)
    await uploaded(page, 1)
    await page.evaluate(PASTE, "a short text")
    await page.evaluate(PASTE, "很长的文字 " * 2_000)
    await uploaded(page, 2)
    await expect(page.locator(".document-name").last).to_have_text("Pasted text 2.txt")


async def test_what_cannot_be_read_says_so_and_holds_the_question_back(page: Page) -> None:
    await attach(page, NOTES, BROKEN)
    await expect(page.locator(".document.bad")).to_contain_text("Damaged, cannot be read")
    await expect(page.locator(".documents .document-name")).to_have_text(["broken.pdf", "周报 notes.md"])
    await page.fill("#composer", "When?")
    await expect(page.locator(".send")).to_be_disabled()
    await page.get_by_role("button", name="Take out broken.pdf").click()
    await expect(page.locator(".send")).to_be_enabled()


async def test_documents_survive_a_reload(page: Page) -> None:
    await attach(page, NOTES)
    await page.reload()
    await expect(page.locator(".documents .document-name")).to_have_text("周报 notes.md")


async def test_one_answer_for_each(page: Page) -> None:
    texts = [
        {"name": f"{n}.pdf", "mimeType": "application/pdf", "buffer": files.pdf(f"Document {n}. 文档")}
        for n in range(3)
    ]
    await attach(page, *texts, BROKEN)
    await page.get_by_label("One answer for each").check()
    await page.fill("#composer", "Summarise.")
    await page.keyboard.press("Enter")
    rows = page.locator(".batch-row")
    await expect(rows).to_have_count(4)
    await expect(rows.last).to_contain_text("Damaged, cannot be read")
    await page.get_by_role("button", name="Stop 2.pdf").click()
    await expect(rows.nth(2)).to_contain_text("stopped")
    for number in range(2):
        await expect(rows.nth(number)).to_have_class("batch-row finished")
        await expect(rows.nth(number).locator(".markdown")).not_to_be_empty()
    await page.get_by_role("button", name="Try failed ones again").click()
    await expect(rows.nth(2)).to_have_class("batch-row finished")
    await expect(page.locator(".batch-progress")).to_contain_text("4 documents, all done")
    await page.get_by_role("button", name="Save results").click()
    async with page.expect_download() as download:
        await page.get_by_role("menuitem", name="As Markdown").click()
    text = (await saved(await download.value)).decode()
    assert [line for line in text.splitlines() if line.startswith("# ")][:4] == [
        "# 1. 0.pdf", "# 2. 1.pdf", "# 3. 2.pdf", "# 4. broken.pdf",
    ]  # fmt: skip
    await page.get_by_role("button", name="Open 1.pdf as a chat").click()
    await expect(page.locator(".question .attached")).to_contain_text("1.pdf")
    await expect(page.locator("#composer")).to_be_visible()
    await page.get_by_role("button", name="All documents").click()
    await expect(rows).to_have_count(4)
    await page.click(".new-chat")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("Summarise.")
    await page.locator(".hit", has_text="You").nth(1).click()
    await page.wait_for_function("() => CSS.highlights.get('found')?.size > 0")
    await expect(page.locator(".question .panel")).to_be_in_viewport()
    await expect(page.get_by_role("button", name="All documents")).to_be_visible()
    await expect(rows).to_have_count(0)


@pytest.mark.parametrize(
    "page",
    [("light", "en-GB", 1280), ("dark", "en-GB", 360), ("light", "zh-CN", 360), ("dark", "zh-CN", 1280)],
    indirect=True,
    ids=str,
)
async def test_axe_finds_nothing(page: Page) -> None:
    await attach(page, NOTES, {**NOTES, "name": "x" * 90 + ".txt"}, BROKEN)
    await check(page, "composer with documents")
    await page.locator(".switch input").check()
    await page.fill("#composer", "Summarise. 请总结。")
    await page.keyboard.press("Enter")
    await expect(page.locator(".batch-row.finished")).to_have_count(2)
    await check(page, "batch")
    await page.locator(".batch-row.finished .icon-button").first.click()
    await page.locator(".attached .document").click()
    await page.wait_for_selector(".document-text")
    await check(page, "document")
