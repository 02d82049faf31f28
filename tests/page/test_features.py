"""Everything around the question and its answer, in a real browser on the real site, emulated engine."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.page.driving import answered, ask, choose_in_menu, tab_to
from tests.support import site as sites
from tests.support.browser import open_page

pytestmark = pytest.mark.browser


async def row_menu(page: Page, title: str, item: str) -> None:
    await choose_in_menu(rows(page, title).first, item)


def rows(page: Page, title: str) -> Locator:
    return page.locator(".row", has_text=title)


async def test_what_is_typed_ahead_goes_out_in_order(page: Page) -> None:
    await ask(page, "First of three")
    await expect(page.locator(".answer .markdown")).to_be_visible()
    await ask(page, "Second of three")
    await ask(page, "Third of three")
    await expect(page.locator(".queued-messages li")).to_have_count(2)
    await page.get_by_role("button", name="Back into the message field").last.click()
    await expect(page.locator("#composer")).to_have_value("Third of three")
    await page.fill("#composer", "")
    await expect(page.locator(".question .panel")).to_have_text(["First of three", "Second of three"])
    await answered(page)


async def test_stopping_gives_back_what_was_typed_ahead(page: Page) -> None:
    await ask(page, "To be stopped")
    await expect(page.locator(".answer .markdown")).to_be_visible()
    await ask(page, "typed ahead")
    await page.fill("#composer", "half a thought")
    await expect(page.get_by_role("button", name="Send when the answer is done")).to_be_enabled()
    await page.get_by_role("button", name="Stop", exact=True).click()
    await expect(page.locator("#composer")).to_have_value("half a thought\n\ntyped ahead")
    await expect(page.locator(".question")).to_have_count(1)


async def test_thumbs_comment_and_an_edited_answer_last(page: Page) -> None:
    await ask(page, "Rate me")
    await answered(page)
    await page.get_by_role("button", name="Bad answer").click()
    await page.get_by_role("button", name="Say why").click()
    await page.fill("textarea[name=comment]", "too short")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("button", name="Edit the answer").click()
    await page.fill(".question-editor textarea", "**My** words")
    await page.keyboard.press("Enter")
    await expect(page.locator(".question-editor textarea")).to_have_value("**My** words\n")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".answer .markdown strong")).to_have_text("My")
    await expect(page.locator(".answer .siblings")).to_contain_text("2/2")
    await page.get_by_role("button", name="Previous version").click()
    await page.reload()
    await expect(page.locator(".answer .siblings")).to_contain_text("1/2")
    await expect(page.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
    await expect(page.get_by_role("button", name="Change your comment")).to_be_visible()


async def test_a_message_is_deleted_with_what_follows_in_every_tab_and_comes_back(
    page: Page, site: sites.Site
) -> None:
    for question in ("Stays", "Goes", "Goes along"):
        await ask(page, question)
        await expect(page.locator(".question .panel").last).to_have_text(question)
        await answered(page)
    other = await page.context.new_page()
    await other.goto(page.url)
    await expect(other.locator(".question")).to_have_count(3)
    await page.locator(".question").nth(1).hover()
    await page.locator(".question").nth(1).get_by_role("button", name="Delete the question").click()
    await expect(page.locator(".toast")).to_contain_text("4 messages deleted.")
    for tab in (page, other):
        await expect(tab.locator(".question .panel")).to_have_text(["Stays"])
    await page.get_by_role("button", name="Undo").click()
    for tab in (page, other):
        await expect(tab.locator(".question .panel")).to_have_text(["Stays", "Goes", "Goes along"])
    await page.locator(".question").first.hover()
    await page.locator(".question").first.get_by_role("button", name="Delete the question").click()
    await expect(page.locator(".main")).to_contain_text("All messages here are deleted.")
    await page.reload()
    await expect(page.locator(".main")).to_contain_text("All messages here are deleted.")
    await ask(page, "Begun anew")
    await answered(page)
    await expect(page.locator(".question .panel")).to_have_text(["Begun anew"])


@pytest.mark.parametrize("typed", ["", "half a thought"])
async def test_a_chat_deleted_in_one_tab_stops_and_the_other_tab_says_so(
    page: Page, site: sites.Site, typed: str
) -> None:
    await ask(page, "Delete me while you answer")
    await expect(page.locator(".answer .markdown")).to_be_visible()
    await page.wait_for_url("**/c/*")
    other = await page.context.new_page()
    await other.goto(page.url)
    await expect(other.locator(".answer .markdown")).to_be_visible()
    await other.fill("#composer", typed)
    await row_menu(page, "Delete me while", "Delete")
    await expect(other.locator(".toast")).to_contain_text("was deleted in another tab")
    await expect(other.locator(".question")).to_have_count(0)
    await expect(rows(other, "Delete me while")).to_have_count(0)
    await expect(other.locator("#composer")).to_have_value(typed)
    assert "/c/" not in other.url
    await page.get_by_role("button", name="Undo").click()
    await expect(rows(other, "Delete me while")).to_have_count(1)
    await rows(page, "Delete me while").get_by_role("link").click()
    await expect(page.locator(".question .panel")).to_have_text(["Delete me while you answer"])
    await expect(page.locator(".send.stop")).to_have_count(0)


async def test_a_question_whose_answer_was_deleted_is_answered_again(page: Page, site: sites.Site) -> None:
    await ask(page, "Answer me anew")
    await answered(page)
    again = page.locator(".question").get_by_role("button", name="Answer again")
    await expect(again).to_have_count(0)
    await page.get_by_role("button", name="Delete this answer").click()
    await expect(page.locator(".answer")).to_have_count(0)
    await page.mouse.move(0, 0)
    await expect(page.locator(".question .tools")).to_be_visible()
    assert await again.evaluate("one => getComputedStyle(one).opacity") == "1"
    await again.click()
    await expect(again).to_have_count(0)
    await answered(page)
    await expect(page.locator(".answer .siblings")).to_have_count(0)
    await expect(again).to_have_count(0)
    await page.reload()
    await expect(page.locator(".question .panel")).to_have_text("Answer me anew")
    await expect(page.locator(".answer")).to_have_count(1)
    await expect(again).to_have_count(0)


async def test_one_version_of_an_answer_is_deleted_by_keyboard(page: Page) -> None:
    await ask(page, "Two versions")
    await answered(page)
    await page.get_by_role("button", name="Edit the answer").click()
    await page.fill(".question-editor textarea", "Mine")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".answer .siblings")).to_contain_text("2/2")
    await tab_to(page.get_by_role("button", name="Delete this answer"), "Shift+Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator(".answer .siblings")).to_have_count(0)
    await expect(page.locator(".answer .markdown")).not_to_have_text("Mine")
    await tab_to(page.get_by_role("button", name="Undo"))
    await page.keyboard.press("Enter")
    await expect(page.locator(".answer .siblings")).to_contain_text("2/2")
    await expect(page.locator(".answer .markdown")).to_have_text("Mine")


async def test_archive_folder_and_many_at_once(page: Page) -> None:
    for title in ("Paper one", "Paper two"):
        await page.click(".new-chat")
        await ask(page, title)
        await answered(page)
    await row_menu(page, "Paper one", "Archive")
    await expect(rows(page, "Paper one")).to_have_count(0)
    await row_menu(page, "Paper two", "Move to folder")
    await page.fill("input[name=folder]", "Papers")
    await page.keyboard.press("Enter")
    await page.locator(".view-button").click()
    await page.get_by_role("menuitemradio", name="Papers").click()
    await expect(page.locator(".row")).to_have_count(1)
    await page.locator(".view-button").click()
    await page.get_by_role("menuitemradio", name="Archive").click()
    await row_menu(page, "Paper one", "Take out of the archive")
    await page.locator(".view-button").click()
    await page.get_by_role("menuitemradio", name="All conversations").click()
    await row_menu(page, "Paper one", "Select several")
    await page.get_by_role("checkbox", name="Paper two").check()
    await page.locator(".picking").get_by_role("button", name="Delete").click()
    await expect(rows(page, "Paper")).to_have_count(0)
    await expect(page.locator(".toast")).to_contain_text("Deleted 2 conversations.")
    await page.get_by_role("button", name="Undo").click()
    await expect(rows(page, "Paper")).to_have_count(2)


async def test_many_are_put_into_a_folder_of_the_list_and_archived(page: Page) -> None:
    for title in ("Paper one", "Paper two", "Paper three"):
        await page.click(".new-chat")
        await ask(page, title)
        await answered(page)
    picking = page.locator(".picking").get_by_role("button")
    await row_menu(page, "Paper one", "Move to folder")
    await expect(page.get_by_role("heading", name="Move “Paper one” to a folder")).to_be_visible()
    await expect(page.get_by_label("New folder")).to_be_focused()
    await page.keyboard.type("Papers")
    await page.keyboard.press("Enter")
    await expect(page.locator(".toast")).to_have_text("Moved to “Papers”.")

    await row_menu(page, "Paper two", "Select several")
    await page.get_by_role("checkbox", name="Paper three").check()
    await picking.filter(has=page.locator("svg")).nth(0).click()
    await expect(page.get_by_role("heading", name="Move 2 conversations to a folder")).to_be_visible()
    await expect(page.get_by_role("button", name="Papers")).to_be_focused()
    await page.get_by_role("button", name="New folder").click()
    await expect(page.get_by_label("New folder")).to_be_focused()
    await page.get_by_role("button", name="Papers").click()
    await expect(page.locator(".picking")).to_have_count(0)
    await page.locator(".view-button").click()
    await page.get_by_role("menuitemradio", name="Papers").click()
    await expect(rows(page, "Paper")).to_have_count(3)

    await row_menu(page, "Paper one", "Select several")
    await page.get_by_role("checkbox", name="Paper two").check()
    await picking.and_(page.get_by_role("button", name="Archive")).click()
    await expect(page.locator(".toast")).to_contain_text("Archived 2 conversations.")
    await expect(page.locator(".row")).to_have_text(["Paper three"])
    await page.get_by_role("button", name="Undo").click()
    await expect(rows(page, "Paper")).to_have_count(3)


async def test_a_preset_and_a_prompt_are_made_and_used(page: Page) -> None:
    await page.get_by_role("button", name="No preset").click()
    await page.get_by_role("menuitem", name="Manage presets").click()
    await page.get_by_role("button", name="New preset").click()
    await page.fill("input[name=name]", "Brief")
    await page.fill("textarea[name=system]", "Be brief. Today is {{date}}.")
    await page.fill("input[name=max_tokens]", "8")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("button", name="Prompts").click()
    await page.get_by_role("button", name="New prompt").click()
    await page.fill("input[name=name]", "weekly")
    await page.fill("textarea[name=content]", "Polish this {{kind}} report")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".entries:visible")).to_contain_text("weekly")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="No preset").click()
    await page.get_by_role("menuitemradio", name="Brief").click()
    await page.fill("#composer", "/week")
    await expect(page.get_by_role("option", name="/weekly")).to_be_visible()
    await page.focus("#composer")
    await page.keyboard.press("Enter")
    await expect(page.locator("#composer")).to_have_value("Polish this {{kind}} report")
    await page.keyboard.type("short")
    await expect(page.locator("#composer")).to_have_value("Polish this short report")
    await page.keyboard.press("Enter")
    await answered(page)
    await expect(page.locator(".ending")).to_contain_text("reached its longest length")
    await page.get_by_role("button", name="Continue").click()
    await expect(page.locator(".question .panel").last).to_have_text("Continue exactly where you stopped.")
    await answered(page)
    await expect(page.locator(".ending")).to_have_count(2)


async def test_a_path_is_no_prompt(page: Page) -> None:
    await page.fill("#composer", "/etc/nginx")
    await expect(page.locator(".slash")).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.locator(".question .panel")).to_have_text("/etc/nginx")
    await answered(page)
    await page.keyboard.type("/nothing-like-it")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator("dialog[open]")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#composer")).to_have_value("/nothing-like-it")


async def test_escape_ends_picking(page: Page) -> None:
    await ask(page, "Not to be deleted")
    await answered(page)
    await row_menu(page, "Not to be deleted", "Select several")
    await expect(page.locator(".picking")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator(".picking")).to_have_count(0)


async def test_a_temporary_chat_is_gone_when_it_is_left(page: Page) -> None:
    await page.get_by_role("button", name="Temporary chat").click()
    await ask(page, "Forget this")
    await answered(page)
    await expect(rows(page, "Forget this")).to_have_count(0)
    address = page.url
    await page.hover(".question")
    await page.get_by_role("button", name="Edit", exact=True).click()
    await page.fill(".question-editor textarea", "Forget these words too")
    assert "Forget these" in await page.evaluate("JSON.stringify(localStorage)")
    await page.click(".new-chat")
    await page.wait_for_selector(".welcome")
    assert "Forget these" not in await page.evaluate("JSON.stringify(localStorage)")
    await page.goto(address)
    await expect(page.get_by_role("heading", name="Not found")).to_be_visible()


async def test_a_link_is_made_opened_and_revoked(page: Page, browser: Browser) -> None:
    await ask(page, "Shared with everybody")
    await answered(page)
    await page.get_by_role("button", name="Share", exact=True).click()
    await page.get_by_text("Public").click()
    await page.get_by_role("button", name="Make a link").click()
    link = await page.locator("dialog input[readonly]").input_value()
    stranger = await open_page(browser)
    await stranger.goto(link)
    await expect(stranger.locator(".question .panel")).to_have_text("Shared with everybody")
    await expect(stranger.locator(".answer .markdown")).not_to_be_empty()
    await page.get_by_role("button", name="All links").click()
    revoke = page.get_by_role("button", name="Revoke the link to “Shared with everybody”")
    await revoke.click()
    await expect(revoke).to_have_count(0)
    await stranger.goto(link)
    await expect(stranger).to_have_url(re.compile("/accounts/login/"))
    await expect(stranger.locator(".answer")).to_have_count(0)


async def test_a_finished_answer_elsewhere_says_so(page: Page) -> None:
    await ask(page, "Answer me later")
    await page.wait_for_url("**/c/*")
    await page.click(".new-chat")
    await expect(page.locator(".toast")).to_contain_text("“Answer me later” has its answer.")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.locator(".question .panel")).to_have_text("Answer me later")


async def test_a_hidden_tab_says_that_its_answer_is_there(page: Page) -> None:
    await ask(page, "Say when you are done")
    await page.wait_for_url("**/c/*")
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    await page.evaluate(hide, True)
    await expect(page).to_have_title("✓ Say when you are done · chatsite")
    await page.evaluate(hide, False)
    await expect(page).to_have_title("Say when you are done · chatsite")


async def test_instructions_and_looks_are_set(page: Page) -> None:
    await page.click(".account-button")
    await page.get_by_role("menuitem", name="Settings").click()
    await page.get_by_label("Dark").check()
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    await page.get_by_role("button", name="Instructions").click()
    await page.locator(".settings textarea").fill("Metric units.")
    await page.get_by_role("button", name="Save").click()
    await page.keyboard.press("Escape")
    await page.reload()
    await page.click(".account-button")
    await page.get_by_role("menuitem", name="Settings").click()
    await page.get_by_role("button", name="Instructions").click()
    await expect(page.locator(".settings textarea")).to_have_value("Metric units.")
    await page.locator(".settings textarea").fill("")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".toast")).to_contain_text("Saved.")


async def test_an_api_key_is_shown_once_and_revoked(page: Page) -> None:
    await page.click(".account-button")
    await page.get_by_role("menuitem", name="Settings").click()
    await page.get_by_role("button", name="API keys").click()
    await page.fill("input[name=name]", "notebook")
    await page.get_by_role("button", name="Make a key").click()
    await expect(page.get_by_label("Your new key")).not_to_have_value("")
    await page.get_by_role("button", name="Appearance").click()
    await page.get_by_role("button", name="API keys").click()
    await expect(page.locator(".entries")).to_contain_text("never used")
    await expect(page.get_by_label("Your new key")).to_have_count(0)
    await page.get_by_role("button", name="Revoke the key “notebook”").click()
    await expect(page.locator(".entries li")).to_have_count(0)
