"""Pages of a person are kept by no browser."""

from __future__ import annotations

import pytest
from django.test import Client

from chatsite.accounts.models import Role
from tests.support.people import People
from tests.support.staff import make_staff

PAGES = [
    "/usage", "/accounts/sessions/", "/accounts/password/change/", "/accounts/2fa/",
    "/accounts/2fa/recovery-codes/", "/accounts/3rdparty/", "/docs/api",
]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_a_persons_page_is_not_kept(people: People, path: str) -> None:
    client = Client()
    client.force_login(people.alice)
    answer = client.get(path, follow=True)
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("path", ["/admin/", "/admin/accounts/user/", "/admin/usage/"])
def test_nor_is_the_console(db: None, path: str) -> None:
    client = Client()
    client.force_login(make_staff("olga", Role.OWNER))
    assert "no-store" in client.get(path)["Cache-Control"]


def test_nor_are_pages_of_strangers(db: None) -> None:
    assert "no-store" in Client().get("/accounts/login/")["Cache-Control"]
    assert "no-store" in Client().get("/nothing-here")["Cache-Control"]
