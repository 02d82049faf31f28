"""What a provider says of a person, true or not: each claim × value has one outcome, by the whole flow."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from chatsite.accounts.models import User
from tests.support.openid_provider import (
    LEFT_OUT,
    USERINFO,
    OpenIDProvider,
    person_of,
    signed_in_through,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_window")]

NEW, OWNER, REFUSED = "an account of its own", "the owner's account", "refused"


def outcome(client: Client, owner: User) -> str:
    if not person_of(client):
        return REFUSED
    return OWNER if person_of(client) == str(owner.pk) else NEW


LIES: list[tuple[str, Any, str]] = [
    ("email_verified", True, OWNER),
    ("email_verified", "true", OWNER),
    ("email_verified", "false", REFUSED),
    ("email_verified", "False", REFUSED),
    ("email_verified", "True", REFUSED),
    ("email_verified", "TRUE", REFUSED),
    ("email_verified", "yes", REFUSED),
    ("email_verified", "1", REFUSED),
    ("email_verified", "", REFUSED),
    ("email_verified", " true", REFUSED),
    ("email_verified", False, REFUSED),
    ("email_verified", None, REFUSED),
    ("email_verified", LEFT_OUT, REFUSED),
    ("email_verified", 1, REFUSED),
    ("email_verified", 0.5, REFUSED),
    ("email_verified", ["true"], REFUSED),
    ("email_verified", {"true": True}, REFUSED),
    ("sub", LEFT_OUT, REFUSED),
    ("sub", "", REFUSED),
    ("sub", None, REFUSED),
    ("sub", 7, REFUSED),
    ("sub", ["person-1"], REFUSED),
    ("sub", "x" * 192, REFUSED),
    ("sub", "x" * 10_000, REFUSED),
    ("sub", "person\x001", REFUSED),
    ("email", "OLGA@example.org", OWNER),
    ("email", ["olga@example.org"], REFUSED),
    ("email", {"address": "olga@example.org"}, REFUSED),
    ("email", 7, REFUSED),
    ("email", "olga", REFUSED),
    ("email", "olga@example.org\n", REFUSED),
    ("email", " olga@example.org", REFUSED),
    ("email", "olga@example.org\x00", REFUSED),
    ("email", "olga\u200b@example.org", REFUSED),
    ("email", "olga@example.org, mallory@example.org", REFUSED),
    ("email", "o" * 300 + "@example.org", REFUSED),
    ("name", "Olga", OWNER),
    ("name", None, OWNER),
    ("name", "奥尔加\u3000O", OWNER),
    ("name", "O" * 10_000, REFUSED),
    ("name", ["Olga"], REFUSED),
    ("name", {"first": "Olga"}, REFUSED),
    ("name", 7, REFUSED),
    ("name", "Ol\x00ga", REFUSED),
    ("name", "Ol\ud800ga", REFUSED),
    ("given_name", "O" * 10_000, REFUSED),
    ("family_name", 7, REFUSED),
    ("groups", ["x" * 1000] * 100, OWNER),
    ("picture", {"anything": [1, 2]}, OWNER),
]  # fmt: skip


def shown(value: Any) -> str:
    return "left out" if value is LEFT_OUT else f"{value!r:.30}"


@pytest.mark.parametrize(
    ("claim", "value", "expected"), LIES, ids=[f"{claim}={shown(value)}" for claim, value, _ in LIES]
)
def test_a_claim_has_one_outcome(
    provider: OpenIDProvider, owner: User, claim: str, value: Any, expected: str
) -> None:
    provider.person = {
        "sub": "person-1", "email": "olga@example.org", "email_verified": True, "name": "Somebody",
        claim: value,
    }  # fmt: skip
    client = Client()
    answer = signed_in_through(client)
    assert outcome(client, owner) == expected
    assert answer.status_code == (302 if expected == OWNER else 403)
    owner.refresh_from_db()
    assert owner.name == "Olga", "nothing that a provider says changes an account"
    assert User.objects.count() == 1


@pytest.mark.parametrize("body", [b"[]", b'"olga"', b"null", b"7", b"", b"{", b"<html>", b'{"sub": "\xff"}'])
def test_an_answer_that_is_no_object_is_refused(provider: OpenIDProvider, owner: User, body: bytes) -> None:
    provider.answers[USERINFO] = (200, body)
    client = Client()
    signed_in_through(client)
    assert outcome(client, owner) == REFUSED


def test_what_was_wrong_is_said_in_the_persons_language(provider: OpenIDProvider, owner: User) -> None:
    provider.person = {"sub": "person-1", "name": "O" * 10_000}
    assert "length &lt;= 150 - at `$.name`" in signed_in_through(Client()).content.decode()
    chinese = Client(headers={"Accept-Language": "zh-hans"})
    assert "请告诉管理员" in signed_in_through(chinese).content.decode()
