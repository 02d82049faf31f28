"""Whether a request's sender is signed in, by its headers: for bodies that are refused before any view."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.http.cookie import parse_cookie

from chatsite.accounts.keys import find_key
from chatsite.accounts.sessions import check_session
from chatsite.database import read
from chatsite.errors import Refusal

MAX_SECRET_CHARS = 200
"""Of a session's or an API key; longer ones are not looked up."""


async def is_signed_in(cookie: bytes, authorization: bytes) -> bool:
    """Whether the Cookie header holds a valid session, or the Authorization header a valid API key."""
    session = parse_cookie(cookie.decode("latin-1")).get(settings.SESSION_COOKIE_NAME, "")
    kind, _, key = authorization.decode("latin-1").partition(" ")
    key = key.strip() if kind.lower() == "bearer" else ""
    return await read(_is_known, session[: MAX_SECRET_CHARS + 1], key[: MAX_SECRET_CHARS + 1])


def _is_known(session_key: str, key: str) -> bool:
    if key and len(key) <= MAX_SECRET_CHARS and find_key(key) is not None:
        return True
    if not session_key or len(session_key) > MAX_SECRET_CHARS:
        return False
    session = SessionStore(session_key)
    user = session.get(SESSION_KEY, "")
    if not str(user).isdigit():
        return False
    try:
        check_session(session, int(user))
    except Refusal:
        return False
    return True
