"""The team's daily bread on the real model: ten documents, ten answers; seven turns that keep their facts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import BrowserContext, FilePayload, Page, expect

from inference.model_store.source import model_directory
from inference.prompt import PromptTokenizer
from inference.request import ChatMessage
from tests.e2e.reading import rows, sign_in
from tests.support import document_files as files
from tests.support.real_site import MODELS_DIR, SMALL, ready_site
from tests.support.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.real_engine, pytest.mark.proof]


def documents() -> list[FilePayload]:
    """Ten, as the page's file field takes them."""
    return [
        FilePayload(
            name=f"需求文档 {number} requirements.pdf",
            mimeType="application/pdf",
            buffer=files.pdf(
                f"Requirement {number}: the harbour opens at {number}.", f"需求{number}：港口开放。"
            ),
        )
        for number in range(10)
    ]


FACTS = ("Ada", "violin", "Lisbon", "seven", "blue", "Tuesday", "cello")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Short answers: it is documents and prompts that are looked at."""
    data_dir = tmp_path_factory.mktemp("documents")
    with ready_site({"CHATSITE_MAX_OUTPUT_TOKENS": "16"}, data_dir) as site:
        yield site


async def test_ten_documents_ten_answers(context: BrowserContext, site: Site) -> None:
    page = await sign_in(context, site)
    ten = documents()
    corrupt = FilePayload(name="corrupt.pdf", mimeType="application/pdf", buffer=ten[0]["buffer"][:400])
    await page.set_input_files(".attach-field", [*ten, corrupt])
    await expect(page.locator(".documents .document")).to_have_count(11)
    await expect(page.locator(".documents progress")).to_have_count(0)
    await expect(page.locator(".document.bad")).to_contain_text("Damaged, cannot be read")
    await page.get_by_label("One answer for each").check()
    await page.fill("#composer", "Summarise in one sentence.")
    await page.keyboard.press("Enter")
    row = page.locator(".batch-row")
    await expect(row).to_have_count(11)
    await page.get_by_role("button", name="Stop 需求文档 9 requirements.pdf").click()
    await expect(row.nth(9)).to_have_class("batch-row cancelled")
    await expect(page.locator(".batch-row.finished")).to_have_count(9)
    await expect(row.nth(10)).to_have_class("batch-row unreadable")
    await page.get_by_role("button", name="Try 需求文档 9 requirements.pdf again").click()
    await expect(page.locator(".batch-row.finished")).to_have_count(10)
    for number in range(10):
        await expect(row.nth(number).locator(".markdown")).not_to_be_empty()
    ended = rows(site, "SELECT * FROM generations_generation WHERE status = 'finished' AND batch")
    assert len(ended) == 10
    assert all('"prompt_tokens"' in job["usage"] for job in ended)
    texts = rows(site, "SELECT name, text FROM attachments_attachment WHERE status = 'ready'")
    assert all("港口开放" in row["text"] and "harbour opens" in row["text"] for row in texts)


async def ask(page: Page, question: str, turn: int) -> None:
    await page.fill("#composer", question)
    await page.keyboard.press("Enter")
    await expect(page.locator(".answer")).to_have_count(turn)
    await expect(page.locator(".answer .tools button").nth(0)).to_be_visible()
    await expect(page.locator(".send.stop")).to_have_count(0)


async def test_seven_turns_keep_all_their_facts(context: BrowserContext, site: Site) -> None:
    page = await sign_in(context, site)
    for turn, fact in enumerate(FACTS, 1):
        await ask(page, f"Remember number {turn}: {fact}.", turn)
    (job,) = rows(
        site,
        "SELECT *, usage ->> 'prompt_tokens' AS computed FROM generations_generation"
        " ORDER BY created_at DESC LIMIT 1",
    )
    messages = rows(
        site,
        "SELECT role, content FROM conversations_message WHERE conversation_id = ? AND id <> ?"
        " ORDER BY created_at, id",
        job["conversation_id"],
        job["answer_id"],
    )
    assert job["first_message"] is None
    directory = model_directory({"CHATSITE_ENGINE": "vllm"} | SMALL, MODELS_DIR)
    assert directory is not None
    counter = PromptTokenizer.read(directory)
    turns = [ChatMessage(row["role"], row["content"]) for row in messages]
    prompt = counter.render(turns)
    at = [prompt.index(f"Remember number {turn}: {fact}.") for turn, fact in enumerate(FACTS, 1)]
    assert at == sorted(at)
    # What the engine says it has read is this very prompt, to the token.
    assert job["computed"] == job["prompt_tokens"] == counter.count(turns)
