"""Encryption of second-factor secrets at rest: the seeds of authenticator and recovery codes.

A copy of the database gives nobody's second factor away. A stored secret is `fernet:` and a Fernet
token (AES-128-CBC with HMAC-SHA256), under a key that HKDF-SHA256 derives from SECRET_KEY. After a rotation
the former key stands in CHATSITE_SECRET_KEY_FALLBACKS, which decrypts too, until `manage.py encrypt_factors`
has encrypted everything with the new one.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

PREFIX = "fernet:"
"""Marks an encrypted secret. One in the clear has no colon: it is base32 or hexadecimal digits."""

PURPOSE = b"chatsite second-factor secrets, version 1"
"""HKDF's `info`: keys that are derived for different purposes reveal nothing of each other."""


class FactorAdapter(DefaultMFAAdapter):
    """allauth's hooks to encrypt and decrypt a secret."""

    def encrypt(self, text: str) -> str:
        return encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return decrypt(encrypted_text)


def encrypt(secret: str) -> str:
    return PREFIX + _cipher().encrypt(secret.encode()).decode()


def decrypt(stored: str) -> str:
    """Raises ImproperlyConfigured where no key of the site fits, and for a secret that is not encrypted:
    the site wrote none.
    """
    try:
        if not stored.startswith(PREFIX):
            raise InvalidToken
        return _cipher().decrypt(stored.removeprefix(PREFIX)).decode()
    except InvalidToken as error:
        raise ImproperlyConfigured(
            "A second-factor secret does not decrypt with CHATSITE_SECRET_KEY or one of "
            "CHATSITE_SECRET_KEY_FALLBACKS. Name the key that the site had before; where it is lost, reset "
            "the second factors in the console."
        ) from error


def with_secrets(data: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """An Authenticator's data with `change` applied to each of its secrets."""
    changed = dict(data)
    for name in ("secret", "seed"):
        if name in data:
            changed[name] = change(data[name])
    if "migrated_codes" in data:
        changed["migrated_codes"] = [change(code) for code in data["migrated_codes"]]
    return changed


def is_encrypted(stored: str) -> bool:
    return stored.startswith(PREFIX)


@transaction.atomic
def do_encrypt_all() -> int:
    """Encrypt every secret anew with the first key, in one transaction; returns the number of users."""
    rows = Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN).order_by("pk").select_for_update()
    people = set()
    for row in rows:
        row.data = with_secrets(row.data, lambda stored: encrypt(decrypt(stored)))
        row.save(update_fields=["data"])
        people.add(row.user_id)
    return len(people)


def _cipher() -> MultiFernet:
    """Encrypts with the first key, decrypts with any. Derived anew each time: that takes microseconds."""
    return MultiFernet([_key(one) for one in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _key(secret_key: str) -> Fernet:
    derived = HKDF(SHA256(), length=32, salt=None, info=PURPOSE).derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
