"""Administrators make keys for others, see them all and revoke them; a key's text is on one page only."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from chatsite.accounts.keys import do_create_key, find_key
from chatsite.accounts.models import ApiKey, Role, User
from chatsite.audit.models import AuditEntry
from tests.support.people import People
from tests.support.staff import make_staff

WISH = {"name": "nightly", "scopes": ["chat"], "expires_at_0": "", "expires_at_1": "", "token_budget": "500"}


@pytest.fixture
def console(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.org", "x"))
    return client


def test_a_key_is_made_and_shown_once(console: Client, people: People) -> None:
    made = console.post("/admin/accounts/apikey/add/", WISH | {"owner": people.alice.pk})
    (text,) = re.findall(r'value="(cs-[\w-]+)"', made.content.decode())
    key = find_key(text)
    assert key is not None
    assert (key.owner, key.scopes, key.token_budget) == (people.alice, ["chat"], 500)
    assert (AuditEntry.objects.get().action, key.name in AuditEntry.objects.get().subject) == ("added", True)
    assert text not in str(AuditEntry.objects.values())
    assert text not in console.get("/admin/accounts/apikey/").content.decode()
    assert ApiKey.objects.count() == 1


def test_a_wrong_wish_is_an_error_of_the_form(console: Client, people: People) -> None:
    wish = WISH | {"owner": people.alice.pk, "expires_at_0": "2020-01-01", "expires_at_1": "00:00"}
    assert "lies in the past" in console.post("/admin/accounts/apikey/add/", wish).content.decode()
    assert not ApiKey.objects.exists()


def test_administrators_make_no_key_that_acts_as_an_owner(console: Client, people: People) -> None:
    owner, admin = User.objects.get(email="root@example.org"), Client()
    admin.force_login(make_staff("ada", Role.ADMINISTRATOR))
    page = admin.post("/admin/accounts/apikey/add/", WISH | {"owner": owner.pk})
    assert "Select a valid choice" in page.content.decode()
    assert not ApiKey.objects.exists()
    admin.post("/admin/accounts/apikey/add/", WISH | {"owner": people.alice.pk})
    console.post("/admin/accounts/apikey/add/", WISH | {"owner": owner.pk})
    assert {key.owner for key in ApiKey.objects.all()} == {people.alice, owner}


def test_ones_own_keys_are_in_the_audit_too(people: People) -> None:
    client = Client()
    client.force_login(people.alice)
    made = client.post("/api/keys", {"name": "nightly", "scopes": ["chat"]}, "application/json").json()
    refused = client.post("/api/keys", {"name": "nightly", "scopes": []}, "application/json")
    assert refused.status_code == 400
    assert client.delete(f"/api/keys/{made['id']}").status_code == 204
    entries = list(AuditEntry.objects.order_by("id"))
    assert [(one.actor, one.action) for one in entries] == [
        (people.alice, "added"), (people.alice, "revoked"),
    ]  # fmt: skip
    assert entries[0].after == {"owner": "alice@example.org", "scopes": "chat"}
    assert all("nightly" in one.subject for one in entries)
    assert made["key"] not in str(list(AuditEntry.objects.values()))


def test_revoking_is_logged_and_final(console: Client, people: People) -> None:
    key, text = do_create_key(people.alice.pk, "a", ["chat"])
    wish = {"action": "revoke", "_selected_action": [str(key.pk)]}
    assert console.post("/admin/accounts/apikey/", wish).status_code == 302
    assert find_key(text) is None
    assert AuditEntry.objects.get().action == "revoked"


def test_who_is_no_administrator_sees_no_keys(people: People) -> None:
    client = Client()
    client.force_login(people.bob)
    assert client.get("/admin/accounts/apikey/").status_code == 302
