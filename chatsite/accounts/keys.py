"""API keys: created, shown once, looked up by hash, revoked for good."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import CharField, DateTimeField, Q, QuerySet
from django.utils import timezone

from chatsite.accounts.models import ApiKey
from chatsite.database import lock_person
from chatsite.errors import Refusal
from chatsite.names import is_name, single_line
from chatsite.prepared_query import PreparedQuery

KEY_PREFIX = "cs-"
"""Every key begins with this, so that people and secret scanners recognise one."""

SECRET_BYTES = 32
"""256 random bits: one fast hash of them is as safe as a slow one, and takes no tenth of a second."""

SHOWN_CHARS = 9
"""Characters of a key that lists and messages show: enough to tell keys apart, 36 of its 256 bits."""

LAST_YEAR = 9998
"""Of an expiry: in the next one some time zones have left what a date can say."""

MAX_KEYS = 50
"""Keys of one person that are not revoked."""

LAST_USED_STEP_S = 60
"""How exact "last used" is: one write a minute and key, not one a request."""

log = structlog.get_logger(__name__)


@transaction.atomic
def do_create_key(
    owner_id: int,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None = None,
    token_budget: int | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its text, which is stored nowhere: show it now. Raises Refusal.

    Locks the person, so that MAX_KEYS is exact.
    """
    lock_person(owner_id)
    check_new_key(owner_id, name, scopes, expires_at)
    text = KEY_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    key = ApiKey.objects.create(
        owner_id=owner_id,
        name=single_line(name),
        prefix=text[:SHOWN_CHARS],
        digest=key_digest(text),
        scopes=[scope for scope in ApiKey.Scope.values if scope in scopes],
        expires_at=expires_at,
        token_budget=token_budget,
    )
    log.info("api_key_created", key=str(key.id), owner=owner_id, scopes=key.scopes)
    return key, text


def check_new_key(owner_id: int, name: str, scopes: Sequence[str], expires_at: datetime | None) -> None:
    """Validate name, scopes, expiry and the number of keys. Raises Refusal."""
    if not is_name(single_line(name)):
        raise Refusal(
            "empty",
            "A key needs a name with a visible character, and no control or direction override.",
        )
    if not scopes or not set(scopes) <= set(ApiKey.Scope.values):
        raise Refusal("bad_frame", f"scopes must be some of {', '.join(ApiKey.Scope.values)}.")
    if expires_at is not None and expires_at.year > LAST_YEAR:
        raise Refusal("bad_frame", f"expires_at: at most the year {LAST_YEAR}; leave it out for never.")
    if expires_at is not None and expires_at <= timezone.now():
        raise Refusal("bad_frame", f"expires_at={expires_at.isoformat()} lies in the past.")
    if keys_of(owner_id).count() >= MAX_KEYS:
        raise Refusal("bad_frame", f"There are {MAX_KEYS} keys already; revoke one first.")


def do_revoke_key(key: UUID) -> None:
    """Revoke a key: no request authenticates with it from now on. The caller also stops its generations."""
    if ApiKey.objects.filter(id=key, revoked_at=None).update(revoked_at=timezone.now()):
        log.info("api_key_revoked", key=str(key))


def keys_of(owner_id: int) -> QuerySet[ApiKey]:
    """This person's keys that are not revoked, newest first, expired ones included."""
    return ApiKey.objects.filter(owner_id=owner_id, revoked_at=None).order_by("-created_at")


def access_key(owner_id: int, key: UUID) -> ApiKey:
    """Fetch a key of this owner. Raises Refusal `not_found`, for another's as for a missing one."""
    found = keys_of(owner_id).filter(id=key).first()
    if found is None:
        raise Refusal("not_found", "There is no such key.")
    return found


def find_key(text: str) -> ApiKey | None:
    """Look a key up by its text, with its owner; None where it is unknown, revoked or expired."""
    return _VALID_KEY.first(digest=key_digest(text), now=timezone.now())


def _valid_key(digest: Any, now: Any) -> QuerySet[ApiKey]:
    valid = ApiKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)
    return valid.select_related("owner").filter(digest=digest, owner__is_active=True)


_VALID_KEY = PreparedQuery(_valid_key, digest=CharField(), now=DateTimeField())


def needs_touch(key: ApiKey) -> bool:
    """Whether "last used" is out of date."""
    return key.last_used_at is None or timezone.now() - key.last_used_at > timedelta(seconds=LAST_USED_STEP_S)


def touch_key(key: UUID) -> None:
    """Update "last used" to now."""
    ApiKey.objects.filter(id=key).update(last_used_at=timezone.now())


def key_digest(text: str) -> str:
    """The hash under which a key is stored."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
