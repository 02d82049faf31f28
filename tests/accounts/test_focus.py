"""Forms of the door have the cursor where typing begins: the first field, after a mistake the wrong one."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from tests.support.people import People
from tests.support.staff import signed_in

FOCUSED = re.compile(r"<input[^>]*\bautofocus\b[^>]*>")


def focused(response) -> list[str]:
    """Names of the fields with the cursor: a page has one at most."""
    return [re.findall(r'name="(\w+)"', field)[0] for field in FOCUSED.findall(response.content.decode())]


def test_signing_in_begins_with_the_address_and_goes_on_at_the_password(people: People) -> None:
    client = Client()
    assert focused(client.get("/accounts/login/")) == ["login"]
    wrong = client.post("/accounts/login/", {"login": "alice@example.org", "password": "wrong"})
    assert focused(wrong) == ["password"]
    assert focused(client.post("/accounts/login/", {"login": "", "password": "wrong"})) == ["login"]


@pytest.mark.parametrize(
    ("path", "name"),
    [("/accounts/password/change/", "oldpassword"), ("/accounts/reauthenticate/", "password")],
)
def test_so_do_the_other_forms(people: People, path: str, name: str) -> None:
    people.alice.set_password("a quiet river")
    people.alice.save()
    assert focused(signed_in(people.alice).get(path)) == [name]
