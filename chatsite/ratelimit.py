"""Rate limits in fixed windows, by account and by address, counted in the cache: exact over processes
that share it. Sign-ins and strangers are counted by address alone; an office shares one, so that people who
are signed in have a wide limit there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import SimpleNamespace

from django.conf import settings
from django_ratelimit.core import get_usage

from chatsite.errors import Refusal

USER_PER_SECOND = 5
STAFF_PER_SECOND = 10
"""The reference's rates by account."""

ADDRESS_PER_SECOND = 200
"""Questions from one address: an office of a hundred people behind it who all ask at once, twice."""

UPLOADS_BY_ADDRESS = 10
"""An address may upload as often as so many accounts: those of an office who do at the same time."""

SIGN_INS_PER_MINUTE = 100
"""Attempts from one address: an office in the morning. Passwords are guarded by the limits per account."""

STRANGERS_PER_MINUTE = 30
"""Openings of invitations and requests to join from one address: a workshop's worth."""

SIGN_INS_PER_ACCOUNT = 10
"""Attempts on one account from one address in five minutes: a stranger elsewhere keeps nobody out."""

SIGN_INS_FROM_ANYWHERE = 100
"""Attempts on one account in five minutes, from wherever they come: 29,000 guesses a day."""


@dataclass(frozen=True)
class RateUsage:
    """The minute's window of one account: questions allowed, still left, and seconds until it is over."""

    limit: int
    remaining: int
    reset_s: float


def check_rate(
    user_id: int, *, is_staff: bool, per_minute: int | None = None, address: str = ""
) -> RateUsage:
    """Count one question. Raises Refusal `rate_limited` with the time to the next window.

    `per_minute` is the plan's; the site's setting bounds it. `address`: where it came from, if known.
    """
    most = min(per_minute or settings.RATE_LIMIT_PER_MINUTE, settings.RATE_LIMIT_PER_MINUTE)
    if address:
        _count("submit", address, f"{ADDRESS_PER_SECOND}/s")
    _count("submit", str(user_id), f"{STAFF_PER_SECOND if is_staff else USER_PER_SECOND}/s")
    return _count("submit", str(user_id), f"{most}/m")


def check_upload(user_id: int, *, address: str = "") -> RateUsage:
    """Count one uploaded file, before its bytes are read. Raises Refusal `rate_limited`."""
    most = settings.UPLOADS_PER_MINUTE
    if address:
        _count("upload", address, f"{most * UPLOADS_BY_ADDRESS}/m")
    return _count("upload", str(user_id), f"{most}/m")


def check_sign_in(address: str, email: str) -> None:
    """Count one attempt to sign in. Raises Refusal `rate_limited`."""
    _count("sign-in", address, f"{SIGN_INS_PER_MINUTE}/m")
    account = email.strip().lower()
    _count("sign-in", f"{address} {account}", f"{SIGN_INS_PER_ACCOUNT}/5m")
    _count("sign-in", account, f"{SIGN_INS_FROM_ANYWHERE}/5m")


def check_stranger(address: str) -> None:
    """Count a request of somebody who is not signed in. Raises Refusal `rate_limited`."""
    _count("stranger", address, f"{STRANGERS_PER_MINUTE}/m")


def check_wrong_keys(address: str) -> None:
    """Raises Refusal `rate_limited` while this minute's wrong keys from there are used up. Counts nothing."""
    _count("wrong-key", address, f"{settings.WRONG_KEYS_PER_MINUTE}/m", increment=False)


def count_wrong_key(address: str) -> None:
    """Count an API key that lets nobody in. Raises Refusal `rate_limited`."""
    _count("wrong-key", address, f"{settings.WRONG_KEYS_PER_MINUTE}/m")


def _count(what: str, who: str, rate: str, *, increment: bool = True) -> RateUsage:
    """Without `increment`: whether one more would be refused."""
    usage = get_usage(
        SimpleNamespace(method="POST"),
        group=f"{what}:{rate}",
        key=lambda _group, _request: who,
        rate=rate,
        increment=increment,
    )
    assert usage, "a rate and a key were given"
    wait = max(1.0, float(usage["time_left"]))
    if usage["should_limit"] or (not increment and usage["count"] >= usage["limit"]):
        raise Refusal(
            "rate_limited",
            f"At most {usage['limit']} in this time are allowed; please wait {wait:.0f} s.",
            wait,
        )
    return RateUsage(usage["limit"], max(0, usage["limit"] - usage["count"]), float(usage["time_left"]))


class FrameBucket:
    """Counts frames before they are parsed: `rate` a second on average, `burst` at once.

    `refused` counts what came too fast since the sender was last quiet.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = time.monotonic()
        self.refused = 0

    def take(self, now: float | None = None) -> bool:
        """True while the sender keeps within the rate."""
        now = time.monotonic() if now is None else now
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens >= self._burst:
            self.refused = 0
        if self._tokens < 1:
            self.refused += 1
            return False
        self._tokens -= 1
        return True
