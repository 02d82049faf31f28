"""Dialogs keep what is typed in them, and stay where they are; nothing of use lies out of sight."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.page.driving import answered, ask
from tests.support import site as sites
from tests.support.browser import open_chat, open_context

pytestmark = pytest.mark.browser


async def open_settings(page: Page, tab: str = "") -> None:
    if not await page.locator(".account-button").is_visible():
        await page.keyboard.press("Control+b")
    await page.click(".account-button")
    await page.get_by_role("menuitem", name="Settings").click()
    if tab:
        await page.get_by_role("button", name=tab, exact=True).click()


async def phone(browser: Browser, site: sites.Site, person: str, **options: object) -> Page:
    looks = {"viewport": {"width": 360, "height": 640}, **options}
    return await open_chat(await open_context(browser, site, person, **looks), site)


async def test_only_a_click_that_begins_and_ends_beside_a_dialog_closes_it(page: Page) -> None:
    await open_settings(page, "Instructions")
    field = page.locator("textarea[name=text]")
    await field.fill("Half a thought")
    sheet = await page.locator("dialog").bounding_box()
    inner = await field.bounding_box()
    assert sheet
    assert inner
    beside = (sheet["x"] / 2, sheet["y"] + 40)

    await page.mouse.click(sheet["x"] + 6, sheet["y"] + sheet["height"] - 6)
    await expect(field).to_have_value("Half a thought")

    await page.mouse.move(inner["x"] + 20, inner["y"] + 20)
    await page.mouse.down()
    await page.mouse.move(*beside, steps=4)
    await page.mouse.up()
    await expect(field).to_have_value("Half a thought")

    await page.mouse.move(*beside)
    await page.mouse.down()
    await page.mouse.move(sheet["x"] + 6, sheet["y"] + 6, steps=4)
    await page.mouse.up()
    await expect(field).to_have_value("Half a thought")

    await field.fill("")
    await page.mouse.click(*beside)
    await expect(page.locator("dialog")).to_have_count(0)


async def test_what_is_typed_in_a_dialog_is_lost_only_on_purpose(page: Page) -> None:
    await open_settings(page, "Instructions")
    field = page.locator("textarea[name=text]")
    await field.fill("Half a thought")
    await page.get_by_role("button", name="Prompts", exact=True).click()
    await expect(field).to_be_hidden()
    await page.get_by_role("button", name="New prompt").click()
    await page.fill("input[name=name]", "weekly")
    sheet = await page.locator("dialog").bounding_box()
    assert sheet
    asked = page.get_by_role("heading", name="Discard what you typed?")

    await page.get_by_role("button", name="Appearance", exact=True).click()
    await page.mouse.click(sheet["x"] / 2, sheet["y"] + 40)
    await expect(asked).to_be_visible()
    await expect(field).to_have_value("Half a thought")
    await expect(field).to_be_visible()
    await expect(page.get_by_role("button", name="Keep writing")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Close", exact=True).click()
    await expect(asked).to_be_visible()
    await field.press("End")
    await page.keyboard.type("!")
    await expect(asked).to_have_count(0)
    for _ in range(3):
        await page.keyboard.press("Escape")
        await expect(asked).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(field).to_be_focused()
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.locator(".toast")).to_contain_text("Saved.")

    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Discard", exact=True).click()
    await expect(page.locator("dialog")).to_have_count(0)
    await open_settings(page, "Instructions")
    await expect(field).to_have_value("Half a thought!")
    await page.keyboard.press("Escape")
    await expect(page.locator("dialog")).to_have_count(0)


async def test_tabs_of_the_settings_stay_under_the_pointer(page: Page) -> None:
    await open_settings(page)
    first = await page.locator(".tab").first.bounding_box()
    for tab in await page.locator(".tab").all():
        await tab.click()
        await expect(page.locator(".settings-body")).not_to_contain_text("Loading")
        assert await page.locator(".tab").first.bounding_box() == first


async def test_words_that_come_with_a_dialog_are_there_in_the_other_language_too(page: Page) -> None:
    await open_settings(page)
    await page.get_by_label("简体中文").check()
    await page.get_by_role("button", name="数据").click()
    await expect(page.get_by_role("heading", name="导出全部")).to_be_visible()
    await page.reload()
    await page.click(".account-button")
    await page.get_by_role("menuitem", name="设置").click()
    await page.get_by_role("button", name="数据").click()
    await expect(page.get_by_role("heading", name="导出全部")).to_be_visible()


@pytest.mark.parametrize("permissions", [["clipboard-read", "clipboard-write"]])
async def test_a_new_key_comes_into_sight_on_a_phone(
    browser: Browser, site: sites.Site, person: str, permissions: list[str]
) -> None:
    page = await phone(browser, site, person, permissions=permissions)
    await open_settings(page, "API keys")
    await page.get_by_label("Name of a new key").fill("Nightly report")
    await page.get_by_role("button", name="Make a key").click()
    key = page.get_by_label("Your new key")
    await expect(key).to_be_focused()
    await expect(key).to_be_in_viewport(ratio=1)
    await expect(page.get_by_label("Name of a new key")).to_have_value("")
    await page.get_by_role("button", name="Copy", exact=True).click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == await key.input_value()
    await expect(page.get_by_role("link", name="How a program uses a key")).to_have_attribute(
        "href", "/docs/api"
    )


MARKED = """\
# Its own heading

[words](javascript:alert(1)) and [a link](https://example.org/)

```diff
-old
+new
```
"""

LOOKS = """() => ["h1", "p", "a:not([href])", "a[href]", ".hljs-addition", ".hljs-deletion"].map((one) => {
  const found = document.querySelector(`.answer ${one}`);
  const { color, fontFamily, fontSize, fontWeight } = getComputedStyle(found);
  return [color, fontFamily, fontSize, fontWeight];
})"""


async def test_a_shared_link_is_copied_from_the_list(page: Page) -> None:
    await ask(page, "To be shared")
    await answered(page)
    await page.get_by_role("button", name="Edit the answer").click()
    await page.fill(".question-editor textarea", MARKED)
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".hljs-addition")).to_be_visible()
    looks = await page.evaluate(LOOKS)
    _, plain, words, address, added, removed = (look[0] for look in looks)
    assert words == plain != address, "what leads nowhere looks like the words around it"
    assert (added, removed) == ("rgb(25, 105, 42)", "rgb(163, 35, 28)"), "green is new, red is gone"
    await page.get_by_role("button", name="Share", exact=True).click()
    await page.get_by_role("button", name="Make a link").click()
    link = await page.get_by_label("Link", exact=True).input_value()
    await page.evaluate("navigator.clipboard.writeText('')")
    await page.get_by_role("button", name="All links").click()
    await page.get_by_role("button", name="Copy the link to “To be shared”").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == link

    await page.goto(link)
    await expect(page.locator(".hljs-addition")).to_be_visible()
    assert await page.evaluate(LOOKS) == looks, "an answer looks there as it does here"


async def test_a_long_draft_on_an_empty_chat_offers_no_jump(page: Page) -> None:
    await page.set_viewport_size({"width": 1280, "height": 500})
    await page.fill("#composer", "\n".join(["line"] * 40))
    box = page.locator(".scroll")
    assert await box.evaluate("box => box.scrollHeight > box.clientHeight")
    await box.evaluate("box => { box.scrollTop = 30; box.dispatchEvent(new Event('scroll')); }")
    await box.evaluate("box => { box.scrollTop = 0; box.dispatchEvent(new Event('scroll')); }")
    await page.wait_for_timeout(100)
    await expect(page.locator(".jump")).to_have_count(0)
