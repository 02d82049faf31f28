"""Is the account behind an open session still allowed in? Asked long after it signed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from chatsite.accounts.models import User
from chatsite.errors import Refusal


def which_ended(held: Sequence[tuple[int, Any]]) -> list[bool]:
    """Of many (user, session) that are held open: whether each has ended. Two queries for all of them.

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


def check_session(session: Any, user_id: int) -> User:
    """The user, while active, and the session's password hash still theirs. Raises Refusal `not_found`.

    A changed password ends all other sessions, as Django's own middleware does for pages. A session
    that was signed out is gone from the store.
    """
    user = User.objects.filter(pk=user_id, is_active=True).first()
    held = session.get(HASH_SESSION_KEY, "")
    if user is None or not constant_time_compare(held, user.get_session_auth_hash()):
        raise Refusal(
            "not_found", "You are signed out. Reload the page and sign in again; your text is kept."
        )
    if not session.exists(session.session_key):
        raise Refusal(
            "not_found", "You are signed out. Reload the page and sign in again; your text is kept."
        )
    return user
