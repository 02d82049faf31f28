"""Is the account behind an open session still allowed in? Asked long after it signed in."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import HASH_SESSION_KEY
from django.utils.crypto import constant_time_compare

from chatsite.accounts.models import User
from chatsite.errors import Refusal


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
