"""The id token counts: who signed it, for whom, for which sign-in, until when; each lie has one outcome."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from django.test import Client

from chatsite.accounts.models import User
from tests.support.openid_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    DISCOVERY,
    KEYS,
    LEFT_OUT,
    TOKEN,
    USERINFO,
    OpenIDProvider,
    consented,
    key_named,
    leads_to,
    person_of,
    signed_by,
    signed_in_through,
    started,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_window")]

Sign = Callable[[dict[str, Any]], str]
NOW = int(time.time())
HOUR = 3600


@pytest.fixture(autouse=True)
def olga(provider: OpenIDProvider, owner: User) -> None:
    """What the provider says of her is true but for what a test changes."""
    provider.person = {"sub": "person-1", "email": owner.email, "email_verified": True}


def gets_in() -> bool:
    client = Client()
    answer = signed_in_through(client)
    assert answer.status_code == (302 if person_of(client) else 403)
    return bool(person_of(client))


LIES: list[tuple[str, Any, bool]] = [
    ("iss", "https://elsewhere.example.org", False),
    ("iss", "", False),
    ("iss", None, False),
    ("iss", ["http://127.0.0.1"], False),
    ("iss", LEFT_OUT, False),
    ("aud", CLIENT_ID, True),
    ("aud", [CLIENT_ID], True),
    ("aud", "another-site", False),
    ("aud", ["another-site"], False),
    ("aud", [CLIENT_ID, "another-site"], False),
    ("aud", [], False),
    ("aud", {CLIENT_ID: 1}, False),
    ("aud", 7, False),
    ("aud", None, False),
    ("aud", LEFT_OUT, False),
    ("azp", CLIENT_ID, True),
    ("azp", "another-site", False),
    ("azp", "", False),
    ("azp", None, False),
    ("azp", [CLIENT_ID], False),
    ("exp", NOW - HOUR, False),
    ("exp", 0, False),
    ("exp", True, False),
    ("exp", "tomorrow", False),
    ("exp", [NOW + HOUR], False),
    ("exp", {}, False),
    ("exp", float("inf"), False),
    ("exp", None, False),
    ("exp", LEFT_OUT, False),
    ("iat", NOW + HOUR, False),
    ("iat", "now", False),
    ("iat", LEFT_OUT, False),
    ("nbf", NOW + HOUR, False),
    ("nbf", NOW - HOUR, True),
    ("nonce", "another sign-in's", False),
    ("nonce", "", False),
    ("nonce", None, False),
    ("nonce", 7, False),
    ("nonce", ["x"], False),
    ("nonce", "ünïcode", False),
    ("nonce", LEFT_OUT, False),
    ("sub", "person-2", False),
    ("sub", "PERSON-1", False),
    ("sub", "", False),
    ("sub", 7, False),
    ("sub", ["person-1"], False),
    ("sub", None, False),
    ("sub", LEFT_OUT, False),
    ("email", "charlie@example.org", True),
]  # fmt: skip


def shown(value: Any) -> str:
    """The value in a test's name, the same in every process that collects the tests."""
    words = "left out" if value is LEFT_OUT else f"{value!r}"
    return words.replace(str(NOW + HOUR), "in an hour").replace(str(NOW - HOUR), "an hour ago")[:30]


@pytest.mark.parametrize(("claim", "value", "holds"), LIES, ids=[f"{c}={shown(v)}" for c, v, _ in LIES])
def test_a_claim_of_the_token_has_one_outcome(
    provider: OpenIDProvider, claim: str, value: Any, holds: bool
) -> None:
    provider.id_claims = {claim: value}
    assert gets_in() is holds


def test_several_audiences_hold_where_the_token_was_made_for_this_site(provider: OpenIDProvider) -> None:
    provider.id_claims = {"aud": ["account", CLIENT_ID], "azp": CLIENT_ID}
    assert gets_in()
    provider.id_claims["azp"] = "account"
    assert not gets_in()


def unsigned(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, None, "none", {"kid": "first"})


def by_the_clients_secret(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, CLIENT_SECRET * 8, "HS256", {"kid": "first"})


def by_the_public_key_as_a_secret(claims: dict[str, Any]) -> str:
    """The classic: HMAC with what everybody can fetch."""
    pem = key_named("first").public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    encode = jwt.utils.base64url_encode
    head = encode(json.dumps({"alg": "HS256", "kid": "first"}).encode())
    signed = head + b"." + encode(json.dumps(claims).encode())
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    return (signed + b"." + encode(mac.sign(signed, pem))).decode()


def changed_afterwards(claims: dict[str, Any]) -> str:
    head, _body, signature = signed_by("first")(claims | {"sub": "person-2"}).split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


SIGNATURES: dict[str, tuple[Sign | None, bool]] = {
    "by the published key": (signed_by("first"), True),
    "by another algorithm of that key": (signed_by("first", "PS384"), True),
    "by another key under its name": (signed_by("second", kid="first"), False),
    "by a key that is not published": (signed_by("second"), False),
    "by nobody": (unsigned, False),
    "by the client's secret": (by_the_clients_secret, False),
    "by the public key as a secret": (by_the_public_key_as_a_secret, False),
    "changed afterwards": (changed_afterwards, False),
    "without a signature": (lambda claims: signed_by("first")(claims).rpartition(".")[0] + ".", False),
    "by the only key, without its name": (signed_by("first", kid=LEFT_OUT), True),
    "with a critical part that nobody knows": (signed_by("first", crit=["x"], x=1), False),
    "no token": (lambda _: "", False),
    "not even a token": (lambda _: "a.b.c", False),
    "a list": (lambda _: [], False),  # type: ignore[dict-item, return-value]
    "missing": (lambda _: None, False),  # type: ignore[dict-item, return-value]
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_signature_has_one_outcome(provider: OpenIDProvider, name: str) -> None:
    provider.sign, holds = SIGNATURES[name]
    assert gets_in() is holds


def test_a_key_of_a_curve_holds(provider: OpenIDProvider) -> None:
    provider.published, provider.sign = ["ec"], signed_by("ec")
    assert gets_in()


def test_a_new_key_is_fetched_when_a_token_names_it(provider: OpenIDProvider, monkeypatch) -> None:
    assert gets_in()
    provider.published, provider.sign = ["first", "second"], signed_by("second")
    assert not gets_in(), "keys that were fetched a moment ago are not fetched again for any name"
    monkeypatch.setattr("chatsite.accounts.openid.provider.KEYS_REFETCH_S", 0.0)
    assert gets_in()
    assert provider.asked[KEYS] == 2


@pytest.mark.parametrize(
    "body", [b"{}", b'{"keys": {}}', b'{"keys": [7]}', b'{"keys": [{"kty": "RSA"}]}', b"["]
)
def test_keys_that_are_none_let_nobody_in(provider: OpenIDProvider, body: bytes) -> None:
    provider.answers[KEYS] = (200, body)
    client = Client()
    assert signed_in_through(client).status_code in (403, 503)
    assert not person_of(client)


def test_a_token_of_another_sign_in_is_refused(provider: OpenIDProvider) -> None:
    """A liar who got hold of somebody's token puts it into their own sign-in."""
    kept: list[str] = []
    provider.sign = lambda claims: kept.append(signed_by("first")(claims)) or kept[0]  # type: ignore[func-returns-value]
    assert gets_in()
    assert not gets_in()


def test_a_state_is_good_once_and_in_one_browser(provider: OpenIDProvider) -> None:
    client, thief = Client(), Client()
    back = consented(leads_to(started(client)))
    assert thief.get(back).status_code == 403
    assert client.get(back).status_code == 302
    assert client.get(back).status_code == 403
    assert provider.asked[TOKEN] == 1
    assert not person_of(thief)


def test_userinfo_of_another_person_is_refused(provider: OpenIDProvider) -> None:
    provider.id_claims = {"sub": "mallory"}
    client = Client()
    page = signed_in_through(client)
    assert "another person" in page.content.decode()
    assert not person_of(client)


def test_without_userinfo_the_token_alone_counts(provider: OpenIDProvider, owner: User) -> None:
    provider.metadata = {"userinfo_endpoint": LEFT_OUT}
    provider.id_claims = {"email": owner.email, "email_verified": True}
    assert gets_in()
    assert not provider.asked[USERINFO]


def test_an_address_is_not_vouched_for_by_another_source(provider: OpenIDProvider, owner: User) -> None:
    """Userinfo names an address without verifying it, the token verifies one without naming it."""
    provider.person = {"sub": "person-1", "email": owner.email}
    provider.id_claims = {"email_verified": True}
    client = Client()
    signed_in_through(client)
    assert not person_of(client)


@pytest.mark.parametrize(
    "endpoint", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"]
)
@pytest.mark.parametrize("address", ["ftp://id.example.org/", "javascript:alert(1)", "//id.example.org", ""])
def test_every_address_is_one_of_the_web(provider: OpenIDProvider, endpoint: str, address: str) -> None:
    provider.metadata = {endpoint: address}
    assert started(Client()).status_code == 503


def test_plain_http_is_for_development_alone(provider: OpenIDProvider, settings) -> None:
    settings.OIDC_ALLOW_HTTP = False
    assert started(Client()).status_code == 503
    assert not provider.asked, "nobody is asked where anybody could answer"


@pytest.mark.parametrize("issuer", ["https://elsewhere.example.org", "", None, 7])
def test_the_metadata_is_of_the_issuer_that_was_asked(provider: OpenIDProvider, issuer: Any) -> None:
    provider.metadata = {"issuer": issuer}
    assert started(Client()).status_code == 503
    assert provider.asked[DISCOVERY] == 1


def test_nothing_of_the_request_reaches_the_providers_address(provider: OpenIDProvider) -> None:
    wish = {"auth_params": "redirect_uri=https://evil.example.org&state=x", "scope": "everything"}
    location = leads_to(started(Client(), **wish))
    assert location.startswith(provider.url)
    assert "evil" not in location
    assert "everything" not in location
