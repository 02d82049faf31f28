"""No page of the server's is a dead end: who is signed in finds back to the chat, staff to the console."""

from __future__ import annotations

import pytest
from django.test import Client

from chatsite.accounts.models import Role
from tests.support.people import People
from tests.support.staff import make_staff, signed_in

BACK = "Back to the chat"


@pytest.mark.parametrize("path", ["/usage", "/groups", "/docs/api", "/accounts/2fa/", "/accounts/sessions/"])
def test_one_way_back_to_the_chat(people: People, path: str) -> None:
    assert signed_in(people.alice).get(path).content.decode().count(BACK) == 1


@pytest.mark.parametrize("path", ["/accounts/login/", "/docs/api", "/accounts/inactive/"])
def test_who_is_not_signed_in_has_no_chat_to_go_back_to(db, path: str) -> None:
    assert BACK not in Client().get(path).content.decode()


def test_where_the_console_refuses_it_offers_itself(people: People) -> None:
    page = signed_in(make_staff("staff", Role.AUDITOR)).get("/admin/quotas/plan/add/")
    assert (page.status_code, 'href="/admin/"' in page.content.decode()) == (403, True)


def test_the_guide_for_programs_says_in_chinese_that_it_is_english(people: People) -> None:
    client = signed_in(people.alice)
    assert "仅有英文" in client.get("/docs/api", headers={"Accept-Language": "zh-hans"}).content.decode()
    assert "English only" not in client.get("/docs/api").content.decode()
