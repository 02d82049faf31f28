"""What every page of the console shares: sidebar, titles, empty lists, search, and what it never shows."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from playwright.async_api import Browser, Page, expect

from chatsite.accounts.keys import do_create_key
from chatsite.accounts.models import Role, User
from chatsite.console.lookup import EACH
from chatsite.console.sections import GROUPS, SECTIONS
from chatsite.quotas.models import Plan
from tests.support import site as sites
from tests.support.browser import new_context
from tests.support.people import People
from tests.support.staff import make_staff, signed_in


@pytest.fixture
def admin(db) -> Client:
    return signed_in(make_staff("ada", Role.ADMINISTRATOR))


def read(client: Client, path: str, language: str = "en") -> str:
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200, path
    return answer.content.decode()


def title(text: str) -> str:
    """The page's one heading of the first level."""
    (found,) = re.findall(r"<h1>\s*(.*?)\s*</h1>", text, re.DOTALL)
    return found


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_each_section_is_marked_in_the_sidebar_on_its_page(admin: Client, section) -> None:
    answer = admin.get(section.url, follow=True)
    (current,) = re.findall(
        r'href="([^"]+)"\s+aria-current="(?:page|true)"\s*>\s*<svg', answer.content.decode()
    )
    entry = next(one for one in SECTIONS if one.name == (section.tab_of or section.name))
    assert current == entry.url


def test_groups_without_sections_are_hidden(admin: Client) -> None:
    headings = re.findall(r"<h2>(.*?)</h2>", read(admin, "/admin/live/").partition("console-nav")[2])
    shown = [str(group.label) for group in GROUPS if group.label and group.entries]
    assert headings[: len(shown)] == shown
    empty = {str(group.label) for group in GROUPS if not group.entries}
    assert empty
    assert not empty & set(headings)


def test_titles_are_nouns(people: People, admin: Client) -> None:
    plan = Plan.objects.create(name="Small")
    assert title(read(admin, "/admin/accounts/user/")) == "People"
    assert title(read(admin, "/admin/audit/auditentry/")) == "Audit"
    assert title(read(admin, "/admin/quotas/plan/add/")) == "New plan"
    assert title(read(admin, "/admin/quotas/plan/add/", "zh-CN")) == "新建套餐"
    assert title(read(admin, f"/admin/quotas/plan/{plan.pk}/change/")) == "Small"
    assert title(read(admin, f"/admin/accounts/user/{people.alice.pk}/change/")) == people.alice.display_name


def test_an_empty_list_says_what_it_is_for_and_leads_to_the_first_step(admin: Client) -> None:
    for section in SECTIONS:
        if not section.purpose or section.name == "accounts_user_changelist":
            continue
        text = read(admin, section.url)
        assert str(section.purpose) in text.replace("&#x27;", "'"), section.name
        assert text.count("addlink") == (section.name != "audit_auditentry_changelist"), section.name


def test_what_does_not_match_is_told_from_what_is_not_there(admin: Client) -> None:
    text = read(admin, "/admin/accounts/user/?q=nobody-of-this-name")
    assert "Nothing matches" in text
    assert "Show all" in text


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.AUDITOR])
def test_nothing_of_a_password_is_printed(people: People, role: Role) -> None:
    people.alice.set_password("correct horse battery staple")
    people.alice.save()
    text = read(signed_in(make_staff("staff", role)), f"/admin/accounts/user/{people.alice.pk}/change/")
    algorithm, *_, salt, hashed = people.alice.password.split("$")
    for part in (algorithm, salt[:6], hashed[:6]):
        assert part not in text
    assert re.search(r"Set ·|Set another", text)


def test_the_search_finds_people_groups_plans_and_keys(people: People, admin: Client) -> None:
    group = Group.objects.create(name="Alistair's team")
    plan = Plan.objects.create(name="Alibi")
    key, _text = do_create_key(people.bob.pk, "alien import", ["chat"])
    text = read(admin, "/admin/lookup/?q=ALI")
    for path in (f"accounts/user/{people.alice.pk}", f"auth/group/{group.pk}", f"quotas/plan/{plan.pk}"):
        assert f"/admin/{path}/change/" in text
    assert f"/admin/accounts/apikey/{key.pk}/change/" in text
    assert people.bob.email in text  # whose key it is
    assert f"/admin/accounts/user/{people.bob.pk}/" not in text


def test_the_search_shows_a_few_and_says_that_there_are_more(admin: Client) -> None:
    User.objects.bulk_create(User(email=f"many{n}@example.org") for n in range(EACH + 1))
    text = read(admin, "/admin/lookup/?part=1&q=many")
    assert text.count("/change/") == EACH
    assert "There are more" in text
    assert "<html" not in text
    assert "Nothing is called" in read(admin, "/admin/lookup/?part=1&q=none-of-these")


@pytest.mark.parametrize("text", ["%00", "%25", "'", "%F0%9F%98%80", "x" * 5000, "%22%3E%3Cscript%3E"])
def test_any_text_is_looked_for(admin: Client, text: str) -> None:
    assert "<script>" not in read(admin, f"/admin/lookup/?part=1&q={text}")


def test_the_search_is_for_staff(people: People) -> None:
    assert signed_in(people.alice).get("/admin/lookup/?q=a").status_code in (302, 403)
    assert Client().get("/admin/lookup/?part=1&q=a").status_code == 302


def test_own_passwords_are_changed_where_everybody_does(admin: Client) -> None:
    assert admin.get("/admin/password_change/").url == "/accounts/password/change/"


def test_a_deletion_names_what_goes_in_words(people: People, admin: Client) -> None:
    group = Group.objects.create(name="interns")
    group.user_set.add(people.alice, people.bob)
    text = read(admin, f"/admin/auth/group/{group.pk}/delete/")
    assert "Memberships: 2" in text
    assert "object (" not in text


def test_the_audit_names_kinds_and_roles_in_the_readers_language(people: People, admin: Client) -> None:
    form = {"email": people.alice.email, "name": "Alice", "role": "auditor", "is_active": "on"}
    url = f"/admin/accounts/user/{people.alice.pk}/change/"
    assert admin.post(url, form, headers={"Accept-Language": "zh-CN"}).status_code == 302
    for language, said in (
        ("zh-CN", ["用户 alice@", "成员 → 审计员"]),
        ("en", ["person alice@", "member → auditor"]),
    ):
        rows = read(admin, "/admin/audit/auditentry/", language).partition("<tbody>")[2]
        assert all(words in rows for words in said), language


async def staff_page(browser: Browser, site: sites.Site, **options: object) -> Page:
    context = await new_context(browser, **options)
    name, _, value = site.sign_in().partition("=")
    await context.add_cookies([{"name": name, "value": value, "url": site.url}])
    page = await context.new_page()
    await page.goto(site.url + "/admin/accounts/user/")
    return page


@pytest.mark.browser
async def test_a_slash_searches_and_arrows_walk_through_the_hits(browser: Browser, site: sites.Site) -> None:
    page = await staff_page(browser, site)
    problems: list[str] = []
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    await page.keyboard.press("/")
    await expect(page.locator("#lookup-text")).to_be_focused()
    await page.keyboard.type("admin")
    await page.wait_for_selector("#lookup-hits a")
    await page.keyboard.press("ArrowDown")
    await expect(page.locator("#lookup-hits a").first).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#lookup-hits")).to_be_hidden()
    await page.focus("#searchbar")
    await page.keyboard.type("a/b")  # a letter where somebody types
    assert await page.input_value("#searchbar") == "a/b"
    await page.focus("#lookup-text")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/admin/lookup/?q=admin")
    assert not problems


@pytest.mark.browser
async def test_the_chats_theme_is_the_consoles(browser: Browser, site: sites.Site) -> None:
    page = await staff_page(browser, site, color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(background)
    await page.evaluate("localStorage.setItem('chatsite.theme', 'dark')")
    await page.reload()
    assert await page.evaluate(background) != light
    assert await page.locator(".theme-toggle").count() == 0


@pytest.mark.browser
async def test_on_a_phone_the_sidebar_is_a_sheet_and_no_page_scrolls_sideways(
    browser: Browser, site: sites.Site
) -> None:
    page = await staff_page(browser, site, viewport={"width": 360, "height": 740})
    sidebar = page.locator("#sidebar")
    await expect(sidebar).to_be_hidden()
    await page.click("#open-sidebar")
    await expect(sidebar).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(sidebar).to_be_hidden()
    await expect(page.locator("#open-sidebar")).to_be_focused()
    for section in SECTIONS:
        await page.goto(site.url + section.url)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), section.name


@pytest.mark.browser
async def test_table_heads_stay_while_the_page_scrolls(browser: Browser, site: sites.Site) -> None:
    site.people(20)
    page = await staff_page(browser, site, viewport={"width": 1280, "height": 400})
    await page.locator("#result_list tbody tr").last.scroll_into_view_if_needed()
    assert await page.evaluate("scrollY") > 100
    assert (
        await page.evaluate("document.querySelector('#result_list thead th').getBoundingClientRect().top")
        == 0
    )
