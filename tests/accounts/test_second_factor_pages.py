"""The second factor's own pages: the site's words in both languages, each step with its way back."""

from __future__ import annotations

import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.urls import reverse

from chatsite.accounts.models import User
from tests.support.people import make_user
from tests.support.source import ROOT
from tests.support.staff import signed_in

PASSWORD = "a quiet river"
HOME = "/accounts/2fa/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(db) -> User:
    user = make_user("alice")
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def client(alice: User) -> Client:
    """Signed in, and sure to be it."""
    client = signed_in(alice)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


def read(client: Client, path: str, language: str = "en") -> str:
    page = client.get(path, HTTP_HOST="localhost", headers={"Accept-Language": language})
    assert page.status_code == 200
    return page.content.decode()


def add_key(user: User) -> Authenticator:
    return Authenticator.objects.create(
        user=user, type="webauthn", data={"name": "On the key ring", "credential": {}, "passwordless": True}
    )


def test_it_is_called_as_in_the_settings(client: Client) -> None:
    assert "<h1>Second factor and passkeys</h1>" in read(client, HOME)
    assert "<h1>两步验证与通行密钥</h1>" in read(client, HOME, "zh-hans")


def test_who_has_none_reads_when_recovery_codes_can_be_made(client: Client, alice: User) -> None:
    assert "once one of the two above is set up" in read(client, HOME)
    TOTP.activate(alice, generate_totp_secret())
    assert "/accounts/2fa/recovery-codes/generate/" in read(client, HOME)
    RecoveryCodes.activate(alice)
    assert "10 of 10 codes are unused" in read(client, HOME)


def test_the_secret_is_a_field_of_its_own_and_turning_on_the_one_main_action(client: Client) -> None:
    text = read(client, "/accounts/2fa/totp/activate/")
    assert re.search(r'readonly value="[A-Z2-7]{32}"', text)
    assert re.findall(r'class="button primary"[^>]*>([^<]*)', text) == ["Turn on"]
    assert f'href="{HOME}"' in text


def test_a_keys_form_speaks_chinese(client: Client) -> None:
    text = read(client, "/accounts/2fa/webauthn/add/", "zh-hans")
    assert "密钥名称" in text
    script = (ROOT / "static/security/add-key.js").read_text(encoding="utf-8")
    assert {f'id="{id}"' for id in re.findall(r': "(\w+)"', script) if f'id="{id}"' not in text} == set()
    assert not re.search(r"<label[^>]*>[A-Za-z ]+</label>", text)


def test_keys_are_listed_with_their_use(client: Client, alice: User) -> None:
    key = add_key(alice)
    text = read(client, "/accounts/2fa/webauthn/")
    assert "never used" in text
    assert reverse("mfa_remove_webauthn", args=[key.pk]) in text
    assert "1 key is registered" in read(client, HOME)
