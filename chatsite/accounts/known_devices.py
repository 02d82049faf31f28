"""Known devices: browsers on which an account has signed in before, by a signed cookie.

Wrong passwords from many addresses close an account for minutes; its owner still comes in on a known device,
whose tries are counted by themselves. The cookie signs nobody in.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import salted_hmac

from chatsite.accounts.addresses import canonical
from chatsite.accounts.models import User

COOKIE, SALT = "known_device", "chatsite.known_device"

PATH = "/accounts/"
"""Sent to the sign-in pages alone."""

MAX_AGE_S = 400 * 24 * 3600
"""As long as browsers keep a cookie at most; each sign-in begins anew."""

MOST = 5
"""Accounts that one browser is known to: those of a family. The oldest goes."""


def known_device(request: HttpRequest, address: str) -> str:
    """The id of this browser where the account of this address has signed in on it; else empty."""
    device, accounts = _read(request)
    return device if _digest(address) in accounts else ""


def remember_device(request: HttpRequest, response: HttpResponseBase, user: User) -> None:
    """Make this browser known to the account that has just signed in on it."""
    device, accounts = _read(request)
    mine = _digest(user.email)
    held = [mine, *(one for one in accounts if one != mine)][:MOST]
    response.set_cookie(
        COOKIE,
        signing.dumps([device or secrets.token_urlsafe(12), held], salt=SALT),
        max_age=MAX_AGE_S,
        path=PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _read(request: HttpRequest) -> tuple[str, list[str]]:
    try:
        content: Any = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=MAX_AGE_S)
    except signing.BadSignature:
        return "", []
    device, accounts = content
    return device, accounts


def _digest(address: str) -> str:
    """What the cookie holds of an address: nobody reads out of it who signs in here."""
    return salted_hmac(SALT, canonical(address.strip()), algorithm="sha256").hexdigest()[:32]
