"""Second-factor secrets at rest: encrypted with the site's key, also through its rotation."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.test import Client

from chatsite.accounts.factor_secrets import decrypt, encrypt
from chatsite.accounts.models import User
from tests.accounts.codes import code_of
from tests.support.openid_provider import person_of
from tests.support.people import PASSWORD, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_window")]

migration = import_module("chatsite.accounts.migrations.0007_encrypt_factors")


@pytest.fixture
def alice() -> User:
    return make_user("alice", PASSWORD)


def signs_in(code: str) -> bool:
    client = Client()
    client.post("/accounts/login/", {"login": "alice@example.org", "password": PASSWORD})
    client.post("/accounts/2fa/authenticate/", {"code": code})
    return bool(person_of(client))


def data_of(kind: str) -> dict[str, Any]:
    return Authenticator.objects.get(type=kind).data


def in_the_clear(user: User) -> tuple[str, str]:
    """Both kinds as they were stored before secrets were encrypted: the secret, and the seed."""
    secret, seed = generate_totp_secret(), RecoveryCodes.generate_seed()
    Authenticator.objects.create(user=user, type="totp", data={"secret": secret})
    Authenticator.objects.create(user=user, type="recovery_codes", data={"seed": seed, "used_mask": 1})
    return secret, seed


def test_the_database_holds_no_secret_and_both_let_in(alice: User) -> None:
    secret = generate_totp_secret()
    TOTP.activate(alice, secret)
    codes = RecoveryCodes.activate(alice)
    seed = decrypt(codes.instance.data["seed"])
    stored = str(list(Authenticator.objects.values()))
    for private in (secret, seed, *codes.generate_codes()):
        assert private not in stored
    assert signs_in(code_of(secret))
    assert signs_in(codes.generate_codes()[3])
    assert not signs_in(codes.generate_codes()[3]), "a recovery code is good once"


def test_equal_secrets_are_not_equal_at_rest() -> None:
    assert encrypt("A" * 32) != encrypt("A" * 32)


def test_what_lay_in_the_clear_is_encrypted_once_and_lets_in(alice: User) -> None:
    secret, seed = in_the_clear(alice)
    migration.forwards(apps, None)
    first = data_of("totp")["secret"], data_of("recovery_codes")["seed"]
    assert secret not in first[0]
    assert seed not in first[1]
    migration.forwards(apps, None)
    assert (data_of("totp")["secret"], data_of("recovery_codes")["seed"]) == first
    assert data_of("recovery_codes")["used_mask"] == 1, "what was used stays so"
    assert signs_in(code_of(secret))


def test_codes_from_another_system_are_encrypted_too(alice: User) -> None:
    codes = ["12345678", "23456789"]
    Authenticator.objects.create(user=alice, type="recovery_codes", data={"migrated_codes": codes})
    migration.forwards(apps, None)
    assert not set(codes) & set(data_of("recovery_codes")["migrated_codes"])
    assert Authenticator.objects.get().wrap().get_unused_codes() == codes


def test_backwards_they_lie_in_the_clear_again(alice: User) -> None:
    secret, seed = in_the_clear(alice)
    migration.forwards(apps, None)
    migration.backwards(apps, None)
    assert (data_of("totp")["secret"], data_of("recovery_codes")["seed"]) == (secret, seed)


def test_a_rotated_key_decrypts_until_everything_is_under_the_new_one(alice: User, settings) -> None:
    secret = generate_totp_secret()
    TOTP.activate(alice, secret)
    RecoveryCodes.activate(alice)
    former, settings.SECRET_KEY = settings.SECRET_KEY, "n" * 64
    settings.SECRET_KEY_FALLBACKS = [former]
    assert decrypt(data_of("totp")["secret"]) == secret
    assert signs_in(code_of(secret))
    call_command("encrypt_factors")
    settings.SECRET_KEY_FALLBACKS = []
    assert decrypt(data_of("totp")["secret"]) == secret
    assert len(Authenticator.objects.get(type="recovery_codes").wrap().generate_codes()) == 10


def test_without_the_former_key_nothing_decrypts_and_the_remedy_is_named(alice: User, settings) -> None:
    TOTP.activate(alice, generate_totp_secret())
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "n" * 64, ["f" * 64]
    with pytest.raises(ImproperlyConfigured, match="CHATSITE_SECRET_KEY_FALLBACKS"):
        decrypt(data_of("totp")["secret"])
    with pytest.raises(ImproperlyConfigured):
        call_command("encrypt_factors")


@pytest.mark.parametrize("planted", ["", "A" * 32, "fernet:", "fernet:gAAAAA", "fernet:" + "A" * 100])
def test_who_writes_to_the_database_plants_no_secret(planted: str) -> None:
    with pytest.raises(ImproperlyConfigured):
        decrypt(planted)
