"""A newcomer administrator's first minute, in a real browser; axe finds nothing on any console page.

With CHATSITE_TEST_SCREENSHOTS naming a folder, the walk leaves its pictures there (docs/console has them):
`CHATSITE_TEST_SCREENSHOTS=docs/console python -m pytest tests/console/test_walk.py -k minute`
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.async_api import Browser, Page

from tests.support import axe
from tests.support import site as sites
from tests.support.browser import new_context
from tests.support.chat_client import Person

pytestmark = pytest.mark.browser

PAGES_OF_A_MINUTE = 14
"""What a person opens in it, four seconds each; how fast they come is a benchmark's."""

DRAWN_MS = 60_000
PAGES = [
    "/admin/", "/admin/live/", "/admin/usage/", "/admin/quotas/plan/", "/admin/quotas/plan/add/",
    "/admin/quotas/planassignment/", "/admin/quotas/planassignment/add/", "/admin/quotas/grant/",
    "/admin/quotas/grant/add/", "/admin/accounts/user/", "/admin/accounts/user/1/change/",
    "/admin/auth/group/", "/admin/auth/group/add/", "/admin/audit/auditentry/",
    "/admin/accounts/invitation/", "/admin/accounts/invitation/add/", "/admin/notices/announcement/",
    "/admin/notices/announcement/add/", "/admin/retention/retentionpolicy/", "/admin/people/1/leaving",
    "/admin/accounts/apikey/", "/admin/accounts/apikey/add/", "/admin/accounts/user/add/",
    "/admin/lookup/?q=a", "/admin/accounts/user/1/history/", "/admin/accounts/user/1/password/",
    "/admin/auth/group/1/delete/", "/admin/accounts/user/?q=nobody",
    "/admin/auth/group/1/change/", "/admin/read/1/", "/usage", "/groups", "/groups/1",
]  # fmt: skip

FILLED = """
from django.contrib.auth.models import Group
from chatsite.accounts.keys import do_create_key
from chatsite.accounts.models import User
from chatsite.conversations.models import Conversation, Message
ada = User.objects.get(pk=1)
for name in ("writers", "readers"):
    group = Group.objects.create(name=name)
    group.user_set.add(ada)
    group.managers.create(user=ada)
do_create_key(ada.pk, "a script", ["models", "chat"])
home = Conversation.objects.create(owner=ada, title="Why is the sky blue?")
asked = Message.objects.create(conversation=home, role="user", content="Why is the sky blue?")
Message.objects.create(conversation=home, parent=asked, role="assistant", content="It scatters.\\n" * 40)
"""
"""Two groups with a manager, a key, a conversation: so that pages have something to show."""


async def opened(browser: Browser, site: sites.Site, **options: object) -> Page:
    """A page of the administrator's, signed in through the form."""
    context = await new_context(browser, viewport={"width": 1280, "height": 800}, **options)
    page = await context.new_page()
    await page.goto(site.url + "/accounts/login/?next=/admin/")
    await page.fill("input[name=login]", sites.EMAIL)
    await page.fill("input[name=password]", sites.PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(site.url + "/admin/")  # the form's own address ends like it
    return page


async def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("CHATSITE_TEST_SCREENSHOTS"):
        await page.screenshot(path=Path(folder) / f"{name}.png")


async def a_conversation(page: Page, site: sites.Site) -> str:
    """The address at which staff reads the administrator's."""
    await page.goto(site.url + "/admin/read/1/")
    found = await page.get_attribute("#content-main li a", "href")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def filled(site: sites.Site) -> sites.Site:
    site.manage("shell", "-c", FILLED)
    return site


@pytest.mark.parametrize(("locale", "scheme"), [("en-GB", "dark"), ("zh-CN", "light")])
async def test_axe_finds_nothing(browser: Browser, filled: sites.Site, locale: str, scheme: str) -> None:
    """Colours are the same in both languages, and words in both themes."""
    site = filled
    page = await opened(
        browser, site, locale=locale, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
    )
    found = {}
    for path in [*PAGES, await a_conversation(page, site)]:
        answer = await page.goto(site.url + path)
        assert answer is not None
        assert answer.status == 200, path
        if violations := await axe.run(page):
            found[path] = violations
    assert not found


async def test_the_first_minute(browser: Browser, site: sites.Site) -> None:
    people = [Person(n, "127.0.0.1", site.port, cookie) for n, cookie in enumerate(site.people(2))]
    for person in people:
        await person.connect()
        person.ask("Why is the sky blue?")
    page = await opened(browser, site)
    problems: list[str] = []
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    visited: list[str] = []
    page.on("framenavigated", lambda frame: visited.append(frame.url))

    await page.click(".console-nav >> text=Live")
    await page.wait_for_selector("#now tbody tr:nth-child(2)")
    await page.click("#now tbody tr:first-child button")
    await page.wait_for_selector("text=Stopping the run")

    await page.click(".console-nav >> text=Plans >> nth=0")
    await page.click(".addlink")
    await page.fill("[name=name]", "Small")
    await page.fill("[name=tokens_per_day]", "5000")
    await picture(page, "plan")
    await page.click("[name=_save]")
    await page.click(".console-nav >> text=Groups")
    await page.click(".addlink")
    await page.fill("[name=name]", "interns")
    await page.select_option("[name=plan]", label="Small")
    await picture(page, "group")
    await page.click("[name=_save]")
    await page.wait_for_selector("#result_list >> text=Small")

    await page.click(".console-nav >> text=Grants")
    await page.click(".addlink")
    await page.click(".select2-selection")
    await page.fill(".select2-search__field", "admin")
    await page.click(".select2-results__option--highlighted")
    await page.fill("[name=tokens]", "100000")
    await page.fill("[name=reason]", "Quarterly report")
    await page.fill("[name=ends_at_0]", f"{timezone.now() + timedelta(days=5):%Y-%m-%d}")
    await picture(page, "grant")
    await page.click("[name=_save]")
    await page.wait_for_selector("text=Quarterly report")

    await page.click(".console-nav >> text=Usage")
    await page.wait_for_selector("#by-person")
    await picture(page, "usage")
    await page.click(".console-nav >> text=Audit")
    rows = await page.locator("#result_list tbody tr").all_inner_texts()
    await picture(page, "audit")
    assert len(visited) <= PAGES_OF_A_MINUTE, visited
    assert [row.split("\t")[2] for row in rows[:4]] == ["added", "added", "added", "cancelled"]
    if "CHATSITE_TEST_SCREENSHOTS" in os.environ:  # lines need a while to be drawn; nobody is measured now
        await page.click(".console-nav >> text=Live")
        await page.wait_for_selector(".trend")
        people[0].ask("And at night?")
        await page.wait_for_timeout(DRAWN_MS)
        await picture(page, "live")
    assert not problems
    for person in people:
        person.close()
