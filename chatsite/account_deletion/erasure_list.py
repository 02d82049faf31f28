"""The list of erasures, beside the database: whom a restored backup would bring back, without naming anybody.

A line is a key, a hash under it of an account's number and the moment it was made, and the day of the
erasure. Who has the list but not the account learns nothing from it. Several lists may be put together.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from chatsite.accounts.models import User

NAME = "erasures.txt"
"""In the data directory, and in a backup."""


def erasure_list_path() -> Path:
    """Where the list lies."""
    return Path(settings.DATA_DIR) / NAME


def note_erasure(user: User) -> None:
    """Add an account that is being erased, once. On the disk when this returns: call it before the commit."""
    lines = _lines()
    key = lines[-1].split()[0] if lines else secrets.token_hex(16)
    digest = _digest(key, user.pk, user.date_joined)
    if not any(digest in line for line in lines):
        _append([f"{key} {digest} {timezone.now():%Y-%m-%d}"])


def add_erasures(text: str) -> int:
    """Add the lines of another list, each once; returns how many were new. Raises ValueError for others."""
    found = [line for line in text.splitlines() if line.strip()]
    for number, line in enumerate(found, 1):
        parts = line.split()
        if [len(part) for part in parts] != [32, 64, 10]:
            raise ValueError(f"line {number} is none of a list of erasures")
    new = [line for line in dict.fromkeys(found) if line not in set(_lines())]
    _append(new)
    return len(new)


def listed_accounts() -> list[int]:
    """Accounts that are here and on the list: they have come back."""
    listed: dict[str, set[str]] = {}
    for line in _lines():
        key, digest, _ = line.split()
        listed.setdefault(key, set()).add(digest)
    if not listed:
        return []
    return [
        id
        for id, joined in User.objects.values_list("pk", "date_joined").order_by("pk").iterator()
        if any(_digest(key, id, joined) in digests for key, digests in listed.items())
    ]


def _digest(key: str, id: int, joined: datetime) -> str:
    """Of seconds since 1970: the same on every database and in every time zone."""
    return hmac.digest(bytes.fromhex(key), f"{id} {joined.timestamp():.6f}".encode(), "sha256").hex()


def _lines() -> list[str]:
    path = erasure_list_path()
    return path.read_text(encoding="ascii").splitlines() if path.exists() else []


def _append(lines: Iterable[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    if not text:
        return
    file = os.open(erasure_list_path(), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    try:
        os.write(file, text.encode())
        os.fsync(file)
    finally:
        os.close(file)
