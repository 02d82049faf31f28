"""What people do all day on the chat page, in a real browser on the real site, emulated engine."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, Route, WebSocketRoute, expect

from tests.page.driving import answered, ask, choose_in_menu
from tests.support import site as sites

pytestmark = pytest.mark.browser


async def test_a_question_is_shown_at_once_and_gets_an_address(page: Page) -> None:
    way = "one => [getComputedStyle(one).direction, getComputedStyle(one).unicodeBidi]"
    await page.fill("#composer", "سؤال")
    assert await page.locator("#composer").evaluate(way) == ["rtl", "plaintext"]
    await ask(page, "A question")
    await expect(page.locator(".question .panel")).to_have_text("A question")
    assert await page.locator(".question .panel").evaluate(way) == ["ltr", "plaintext"]
    await expect(page.locator("#composer")).to_have_value("")
    await page.wait_for_url("**/c/*")
    assert (await page.title()).startswith("A question")
    await answered(page)
    await expect(page.locator(".row.here")).to_contain_text("A question")


async def test_what_is_open_is_listed_however_old_it_is(page: Page) -> None:
    await ask(page, "Asked long ago")
    await answered(page)

    async def first_page(route: Route) -> None:
        held = await (await route.fetch()).json()
        await route.fulfill(json={**held, "conversations": [], "next": "0~2026-01-01T00:00:00+00:00~x"})

    await page.route(re.compile(r"/api/conversations(\?|$)"), first_page)
    await page.reload()
    row = page.locator(".conversations section", has=page.get_by_role("heading", name="Open")).locator(".row")
    await expect(row.get_by_role("link", name="Asked long ago")).to_have_attribute("aria-current", "page")
    await page.unroute_all()
    await choose_in_menu(row, "Pin")
    await page.reload()
    await expect(page.locator(".row")).to_have_count(1)
    await expect(page.get_by_role("heading", name="Open")).to_have_count(0)


async def test_editing_makes_a_branch_and_arrows_walk_back(page: Page) -> None:
    await ask(page, "First words")
    await answered(page)
    await page.hover(".question")
    await page.get_by_role("button", name="Edit", exact=True).click()
    editor = page.locator(".question-editor textarea")
    await editor.fill("Other")
    await editor.press("Escape")
    await expect(page.locator(".toast")).to_contain_text("Kept. Edit again")
    await page.reload()
    await page.hover(".question")
    await page.get_by_role("button", name="Edit", exact=True).click()
    await expect(editor).to_have_value("Other")
    await expect(page.locator(".question-editor")).to_contain_text("Cancel throws it away.")
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="Edit", exact=True).click()
    await expect(editor).to_have_value("First words")
    await editor.fill("Other words")
    await page.get_by_role("button", name="Send", exact=True).first.click()
    await expect(page.locator(".question .panel")).to_have_text("Other words")
    await expect(page.locator(".question .siblings")).to_contain_text("2/2")
    await answered(page)
    await page.locator(".question").get_by_role("button", name="Previous version").click()
    await expect(page.locator(".question .panel")).to_have_text("First words")
    await expect(page.locator(".answer .markdown")).to_be_visible()


async def test_answering_again_makes_a_sibling(page: Page) -> None:
    await ask(page, "Once more")
    await answered(page)
    await page.get_by_role("button", name="Answer again").click()
    await answered(page)
    await expect(page.locator(".answer .siblings")).to_contain_text("2/2")


async def test_escape_stops_and_keeps_the_text(page: Page) -> None:
    await ask(page, "Something very long, please")
    await expect(page.locator(".answer .markdown")).to_be_visible()
    await page.keyboard.press("Escape")
    await answered(page)
    await expect(page.locator(".ending")).to_contain_text("Stopped.")
    await expect(page.locator(".answer .markdown")).not_to_be_empty()
    await page.get_by_role("button", name="Continue").click()
    await expect(page.locator(".question")).to_have_count(2)
    await expect(page.locator(".answer .markdown").nth(1)).not_to_be_empty()


async def test_drafts_are_kept_per_conversation(page: Page) -> None:
    await ask(page, "A place for drafts")
    await answered(page)
    await page.fill("#composer", "half a thought")
    await page.click(".new-chat")
    await expect(page.locator("#composer")).to_have_value("")
    await page.fill("#composer", "another")
    await page.reload()
    await expect(page.locator("#composer")).to_have_value("another")
    await page.fill("#composer", "")
    await page.get_by_role("link", name="A place for drafts").first.click()
    await expect(page.locator("#composer")).to_have_value("half a thought")


async def test_shift_enter_and_composing_do_not_send(page: Page) -> None:
    await page.fill("#composer", "one")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("two")
    await expect(page.locator("#composer")).to_have_value("one\ntwo")
    composing = {"key": "Enter", "isComposing": True, "bubbles": True, "cancelable": True}
    await page.dispatch_event("#composer", "keydown", composing)
    await expect(page.locator("#composer")).to_have_value("one\ntwo")
    await expect(page.locator(".question")).to_have_count(0)


async def test_a_refused_question_stays_with_its_reason(page: Page) -> None:
    await page.evaluate("document.getElementById('composer').value = 'a\\u0000b'")
    await page.dispatch_event("#composer", "input")
    await page.focus("#composer")
    await page.keyboard.press("Enter")
    await expect(page.locator(".refusal")).to_contain_text("characters that cannot be sent")
    await expect(page.locator("#composer")).to_have_value("a\x00b")
    await expect(page.locator(".question")).to_have_count(0)
    await expect(page.get_by_role("button", name="Retry")).to_be_visible()


async def test_rename_in_place_and_delete_with_undo(page: Page) -> None:
    await ask(page, "To be renamed")
    await answered(page)
    row = page.locator(".row.here")
    await row.get_by_role("button").click()
    await page.get_by_role("menuitem", name="Rename").click()
    await page.fill(".title-field", "A better title")
    await page.keyboard.press("Enter")
    await expect(page.locator(".bar h1")).to_have_text("A better title")
    await row.get_by_role("button").click()
    await page.get_by_role("menuitem", name="Delete").click()
    await expect(page.get_by_role("link", name="A better title")).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_role("link", name="A better title")).to_have_count(1)
    await page.reload()
    await expect(page.get_by_role("link", name="A better title")).to_have_count(1)
    await page.click(".new-chat")
    menu = page.locator(".row-menu")
    await expect(menu).to_have_css("opacity", "0")
    await page.locator(".row").hover()
    await expect(menu).to_have_css("opacity", "1")


async def test_a_second_tab_shows_the_same_stream(page: Page) -> None:
    await ask(page, "Seen twice")
    await page.wait_for_url("**/c/*")
    other = await page.context.new_page()
    await other.goto(page.url)
    await answered(page)
    await answered(other)
    texts = [await one.locator(".answer .markdown").inner_text() for one in (page, other)]
    assert texts[0] == texts[1] != ""


async def test_language_and_theme_switch_and_last(page: Page) -> None:
    await page.click(".account-button")
    await page.get_by_role("menuitemradio", name="Dark").click()
    await page.get_by_role("menuitemradio", name="简体中文").click()
    await expect(page.locator(".new-chat")).to_have_text("新对话")
    await page.reload()
    await expect(page.locator(".new-chat")).to_have_text("新对话")
    assert await page.evaluate("[document.documentElement.lang, document.documentElement.dataset.theme]") == [
        "zh-hans",
        "dark",
    ]


async def test_a_missing_conversation_says_so(page: Page, site: sites.Site) -> None:
    await page.goto(f"{site.url}/c/00000000-0000-4000-8000-000000000000")
    await expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    await page.locator(".welcome").get_by_role("button", name="New chat").click()
    await expect(page.locator("#composer")).to_be_focused()


async def test_a_question_asked_without_a_connection_is_sent_when_it_is_back(page: Page) -> None:
    cut = True

    async def wire(socket: WebSocketRoute) -> None:
        if cut:
            await socket.close()
        else:
            socket.connect_to_server()

    await page.route_web_socket("**/ws/chat/", wire)
    await page.reload()
    await expect(page.locator(".banner")).to_contain_text("No connection")
    await ask(page, "Sent into the void")
    await expect(page.locator(".waiting")).to_contain_text("as soon as the connection is back")
    await page.reload()
    await expect(page.locator(".banner")).to_contain_text("No connection")
    cut = False
    await page.get_by_role("button", name="Connect now").click()
    await expect(page.locator(".question .panel")).to_have_text("Sent into the void")
    await answered(page)
    await expect(page.get_by_role("link", name="Sent into the void")).to_have_count(1)
    cut = True
    await page.evaluate("dispatchEvent(new Event('offline'))")
    await expect(page.locator(".banner")).to_contain_text("No connection")
    cut = False
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.locator(".banner")).to_have_count(0)


async def test_a_chinese_word_in_an_answer_is_found_and_opened_on_its_branch(page: Page) -> None:
    await ask(page, "西湖龙井是什么茶？")
    await answered(page)
    await page.hover(".question")
    await page.get_by_role("button", name="Edit", exact=True).click()
    await page.fill(".question-editor textarea", "Something else")
    await page.get_by_role("button", name="Send", exact=True).first.click()
    await answered(page)
    address = page.url
    await page.click(".new-chat")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("龙井")
    hit = page.locator(".hit").first
    await expect(hit.locator("mark").first).to_have_text("龙井")
    await page.keyboard.press("ArrowDown")
    await expect(hit).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator(".question .panel")).to_have_text("西湖龙井是什么茶？")
    await expect(page.locator(".question .siblings")).to_contain_text("1/2")
    assert page.url.startswith(address + "#m-")
    await page.wait_for_function("() => CSS.highlights.get('found')?.size > 0")
    await page.reload()
    await expect(page.locator(".question .panel")).to_have_text("西湖龙井是什么茶？")
