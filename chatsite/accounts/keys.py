"""API keys: made once, shown once, found by their hash, revoked for good."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db.models import Q, QuerySet
from django.utils import timezone

from chatsite.accounts.models import ApiKey
from chatsite.errors import Refusal

START = "cs-"
"""By it people and secret scanners know such a key."""

SECRET_BYTES = 32
"""256 random bits: one fast hash of them is as safe as a slow one, and takes no tenth of a second."""

SHOWN_CHARS = 9
"""Of a key in lists and messages: enough to tell keys apart, 36 of its 256 bits."""

MAX_KEYS = 50
"""Keys of one person that are not revoked."""

TOUCH_S = 60
"""How exact "last used" is: one write a minute and key, not one a request."""

log = structlog.get_logger(__name__)


def do_create_key(
    owner_id: int,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None = None,
    token_budget: int | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its text, which is stored nowhere: show it now. Raises Refusal."""
    check_new_key(owner_id, name, scopes, expires_at)
    text = START + secrets.token_urlsafe(SECRET_BYTES)
    key = ApiKey.objects.create(
        owner_id=owner_id,
        name=" ".join(name.split()),
        prefix=text[:SHOWN_CHARS],
        digest=digest_of(text),
        scopes=[scope for scope in ApiKey.Scope.values if scope in scopes],
        expires_at=expires_at,
        token_budget=token_budget,
    )
    log.info("api_key_created", key=str(key.id), owner=owner_id, scopes=key.scopes)
    return key, text


def check_new_key(owner_id: int, name: str, scopes: Sequence[str], expires_at: datetime | None) -> None:
    """May this person have such a key? Raises Refusal."""
    label = " ".join(name.split())
    if not label or not label.isprintable():
        raise Refusal("empty", "A key needs a name with at least one visible character.")
    if not scopes or not set(scopes) <= set(ApiKey.Scope.values):
        raise Refusal("bad_frame", f"scopes must be some of {', '.join(ApiKey.Scope.values)}.")
    if expires_at is not None and expires_at <= timezone.now():
        raise Refusal("bad_frame", f"expires_at={expires_at.isoformat()} lies in the past.")
    if keys_of(owner_id).count() >= MAX_KEYS:
        raise Refusal("bad_frame", f"There are {MAX_KEYS} keys already; revoke one first.")


def do_revoke_key(key: UUID) -> None:
    """From now on it lets nobody in. Whoever calls this also stops what the key has running."""
    if ApiKey.objects.filter(id=key, revoked_at=None).update(revoked_at=timezone.now()):
        log.info("api_key_revoked", key=str(key))


def keys_of(owner_id: int) -> QuerySet[ApiKey]:
    """This person's keys that are not revoked, newest first; expired ones too, so that they can be told."""
    return ApiKey.objects.filter(owner_id=owner_id, revoked_at=None).order_by("-created_at")


def access_key(owner_id: int, key: UUID) -> ApiKey:
    """The key. Raises Refusal `not_found`, for a stranger's as for a missing one."""
    found = keys_of(owner_id).filter(id=key).first()
    if found is None:
        raise Refusal("not_found", "There is no such key.")
    return found


def find_key(text: str) -> ApiKey | None:
    """The key that this text is, with its owner; None unless it lets somebody in now."""
    now = timezone.now()
    valid = ApiKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)
    return valid.select_related("owner").filter(digest=digest_of(text), owner__is_active=True).first()


def needs_touch(key: ApiKey) -> bool:
    """Whether "last used" is out of date."""
    return key.last_used_at is None or timezone.now() - key.last_used_at > timedelta(seconds=TOUCH_S)


def touch_key(key: UUID) -> None:
    """Note that the key was used."""
    ApiKey.objects.filter(id=key).update(last_used_at=timezone.now())


def digest_of(text: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
