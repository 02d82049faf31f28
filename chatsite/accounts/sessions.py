"""Open sessions: when each was last used, and whether the account behind it is still allowed in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models import BigIntegerField, CharField, Exists, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from chatsite.accounts.models import User
from chatsite.errors import Refusal
from chatsite.prepared_query import PreparedQuery

SEEN_EVERY_S = 600
"""How exact "last used" is. Opening the page reads one row, and writes one at most this often."""


def which_ended(held: Sequence[tuple[int, Any]]) -> list[bool]:
    """For each (user, session) whether the session has ended. Two queries for all of them.

    The rules are those of `check_session`.
    """
    now = timezone.now()
    users = User.objects.filter(is_active=True).in_bulk({user for user, _ in held})
    hashes = {id: user.get_session_auth_hash() for id, user in users.items()}
    keys = {session.session_key for _, session in held}
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=now)
    stored = set(rows.values_list("session_key", flat=True))
    return [
        user not in hashes
        or session.session_key not in stored
        or not constant_time_compare(session.get(HASH_SESSION_KEY, ""), hashes[user])
        for user, session in held
    ]


def note_visit(request: HttpRequest) -> None:
    """Update "last used" of this session, and list one from before the list existed."""
    recent = timezone.now() - timedelta(seconds=SEEN_EVERY_S)
    key = request.session.session_key
    if not UserSession.objects.filter(session_key=key, last_seen_at__gte=recent).exists():
        UserSession.objects.create_from_request(request)


def check_session(session: Any, user_id: int) -> User:
    """Fetch the active user of a session that is still valid. Raises Refusal `not_found`.

    A changed password ends all other sessions, as Django's own middleware does for pages. A session
    that was signed out is gone from the store.
    """
    user = _SIGNED_IN.first(user=user_id, session_key=session.session_key)
    held = session.get(HASH_SESSION_KEY, "")
    if user is None or not constant_time_compare(held, user.get_session_auth_hash()):
        raise Refusal(
            "not_found", "You are signed out. Reload the page and sign in again; your text is kept."
        )
    return user


def _signed_in(user: Any, session_key: Any) -> QuerySet[User]:
    """One query for the account and the session's row."""
    stored = Session.objects.filter(session_key__exact=session_key)
    return User.objects.filter(Exists(stored), pk=user, is_active=True)


_SIGNED_IN = PreparedQuery(_signed_in, user=BigIntegerField(), session_key=CharField())
