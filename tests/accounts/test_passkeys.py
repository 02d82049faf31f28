"""Passkeys: a key whose counter does not rise is refused, and what no browser sends is a 400."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client
from fido2.utils import websafe_encode

from chatsite.accounts.models import User
from chatsite.audit.models import AuditEntry
from tests.support.openid_provider import person_of
from tests.support.people import PASSWORD, make_user
from tests.support.soft_key import HOST, SoftKey

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_window")]

LOGIN, SECOND = "/accounts/2fa/webauthn/login/", "/accounts/2fa/authenticate/"
ADD, PROVE = "/accounts/2fa/webauthn/add/", "/accounts/2fa/webauthn/reauthenticate/"


def browser() -> Client:
    """On a page by HTTPS; what it fails at is seen as the person sees it."""
    client = Client(raise_request_exception=False, headers={"host": HOST})
    client.defaults["wsgi.url_scheme"] = "https"
    return client


@pytest.fixture
def alice() -> User:
    return make_user("alice", PASSWORD)


@pytest.fixture
def here(alice: User) -> Client:
    """Where Alice is signed in and has just proved herself."""
    client = browser()
    client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


def state_of(client: Client) -> str:
    challenge: str = client.session["mfa.webauthn.state"]["challenge"]
    return challenge


def register(here: Client, key: SoftKey) -> Authenticator:
    assert here.get(ADD).status_code == 200
    credential = json.dumps(key.registered(state_of(here)))
    here.post(ADD, {"name": "Key ring", "credential": credential, "passwordless": "on"})
    return Authenticator.objects.get(type=Authenticator.Type.WEBAUTHN)


def handle(user: User) -> str:
    return websafe_encode(user_pk_to_url_str(user).encode())


def sign_in(key: SoftKey, alice: User) -> tuple[Client, Any]:
    """With the passkey alone, in a browser of its own."""
    client = browser()
    client.get(LOGIN, headers={"x-requested-with": "XMLHttpRequest"})
    credential = json.dumps(key.used(state_of(client), handle(alice)))
    return client, client.post(LOGIN, {"credential": credential})


def test_a_key_signs_in_each_time_that_its_counter_rises(here: Client, alice: User) -> None:
    key = SoftKey(counter=7)
    row = register(here, key)
    for count in (8, 9, 10):
        assert person_of(sign_in(key, alice)[0]) == str(alice.pk)
        row.refresh_from_db()
        assert row.data["counter"] == count
        assert row.last_used_at


@pytest.mark.parametrize("back", [1, 2, 9])
def test_a_copy_of_the_key_is_refused_and_noted(here: Client, alice: User, back: int) -> None:
    """The copy was made at 7; since then the key itself was used."""
    key = SoftKey(counter=7)
    row = register(here, key)
    for _ in range(3):
        sign_in(key, alice)
    key.counter -= back
    client, answer = sign_in(key, alice)
    assert not person_of(client)
    assert "may be a copy of this key" in client.get(answer.url).content.decode()
    entry = AuditEntry.objects.get()
    assert (entry.actor_name, entry.action) == (alice.email, "was refused a copied key")
    row.refresh_from_db()
    assert row.data["counter"] == 10, "the key itself goes on from where it was"


def test_a_key_that_counted_and_counts_no_more_is_refused(here: Client, alice: User) -> None:
    key = SoftKey(counter=7)
    register(here, key)
    key.counter = 0
    assert not person_of(sign_in(key, alice)[0])


def test_a_key_that_never_counts_signs_in(here: Client, alice: User) -> None:
    """Passkeys that are synchronized between devices say 0, always."""
    key = SoftKey(counter=0)
    register(here, key)
    for _ in range(2):
        assert person_of(sign_in(key, alice)[0]) == str(alice.pk)


def test_a_key_from_before_counts_from_its_registration(here: Client, alice: User) -> None:
    key = SoftKey(counter=7)
    row = register(here, key)
    assert "counter" not in row.data
    key.counter = 5
    assert not person_of(sign_in(key, alice)[0])


def test_the_counter_holds_after_the_password_and_for_proving_oneself_too(here: Client, alice: User) -> None:
    key = SoftKey(counter=7)
    register(here, key)
    for back, signed_in in ((0, True), (1, False)):
        key.counter -= back
        client = browser()
        client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
        client.get(SECOND)
        client.post(SECOND, {"credential": json.dumps(key.used(state_of(client)))})
        assert bool(person_of(client)) == signed_in
    for back, proved in ((0, True), (1, False)):
        key.counter -= back
        here.get(PROVE)
        answer = here.post(PROVE, {"credential": json.dumps(key.used(state_of(here)))})
        assert (answer.url == "/") == proved


def test_what_is_kept_of_a_new_key_is_what_was_read(here: Client, alice: User) -> None:
    key = SoftKey()
    here.get(ADD)
    credential = key.registered(state_of(here)) | {"junk": "x" * 1000}
    here.post(ADD, {"name": "", "credential": json.dumps(credential), "passwordless": "on"})
    kept = Authenticator.objects.get(type=Authenticator.Type.WEBAUTHN)
    assert "junk" not in kept.data["credential"]
    assert kept.wrap().is_passwordless


# --- what no browser sends ----------------------------------------------------------------------------

VALID = SoftKey().used("AAAA", "MQ")
MALFORMED = [
    '{"id": 1}', "{}", "[]", "null", "1", '"x"', "{", "\x00", "[" * 50_000, '{"a":' * 50_000, "9" * 5000,
    '{"response": null}', '{"response": []}', '{"response": {"userHandle": 1}}',
    *(json.dumps(VALID | {name: wrong}) for name in ("id", "rawId", "type", "response")
      for wrong in (None, 1, [], {}, "²", "é", "a", "x" * 100_000)),
    *(json.dumps(VALID | {"response": VALID["response"] | {name: wrong}})
      for name in ("clientDataJSON", "authenticatorData")
      for wrong in (None, 1, [], {}, "", "²", "a", websafe_encode(b"{}"), websafe_encode(b"\xff" * 40))),
    *(json.dumps(VALID | {"response": VALID["response"] | {"signature": wrong}}) for wrong in (None, 1, {})),
]  # fmt: skip


def named(text: str) -> str:
    return f"{text[:40]}"


@pytest.mark.parametrize("credential", MALFORMED, ids=named)
def test_a_malformed_credential_is_a_400_at_every_door(here: Client, alice: User, credential: str) -> None:
    register(here, SoftKey())
    stranger = browser()
    stranger.get(LOGIN, headers={"x-requested-with": "XMLHttpRequest"})
    half = browser()
    half.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    for client, path in ((stranger, LOGIN), (half, SECOND), (here, ADD), (here, PROVE)):
        assert client.post(path, {"credential": credential}).status_code == 400, path
    assert Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN).count() == 1


@pytest.mark.parametrize(
    "whose",
    [None, "", "²", "a", websafe_encode(b"\xff"), websafe_encode(b"z" * 13), websafe_encode(b"9" * 5000)],
)
def test_a_key_of_nobody_signs_nobody_in(whose: str | None) -> None:
    client = browser()
    client.get(LOGIN, headers={"x-requested-with": "XMLHttpRequest"})
    credential = SoftKey().used(state_of(client))
    credential["response"]["userHandle"] = whose
    answer = client.post(LOGIN, {"credential": json.dumps(credential)})
    assert answer.status_code in (302, 400)
    assert not person_of(client)


def test_no_byte_that_is_changed_ends_in_a_500(here: Client, alice: User) -> None:
    """Of a use that is valid but for one byte, at 200 places: refused, and the site goes on."""
    key = SoftKey(counter=7)
    register(here, key)
    chance = random.Random(7)
    for _ in range(200):
        cache.clear()  # which counts attempts
        client = browser()
        client.get(LOGIN, headers={"x-requested-with": "XMLHttpRequest"})
        text = json.dumps(key.used(state_of(client), handle(alice)))
        at = chance.randrange(len(text))
        answer = client.post(
            LOGIN, {"credential": text[:at] + chr(chance.randrange(32, 127)) + text[at + 1 :]}
        )
        assert answer.status_code in (302, 400), text[max(0, at - 20) : at + 20]


def test_a_field_that_is_missing_or_empty_is_refused(here: Client) -> None:
    for path in (ADD, PROVE):
        for form in ({}, {"credential": ""}):
            assert here.post(path, form).status_code in (200, 302)
    assert not Authenticator.objects.exists()
