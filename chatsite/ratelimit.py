"""Fixed-window rate limits by account and by client address, counted in the cache.

They are exact over processes that share the cache. An office shares one address, so signed-in people have a
wide limit by address.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Lock
from types import SimpleNamespace

from django.conf import settings
from django.core.cache import cache
from django.utils.translation import gettext as _
from django_ratelimit.core import get_usage

from chatsite.errors import Refusal

USER_PER_SECOND = 5
STAFF_PER_SECOND = 10
"""Requests of one account: the first as in the 100-user article (docs/references.md), twice it for staff."""

ADDRESS_PER_SECOND = 200
"""Questions from one address: an office of a hundred people behind it who all ask at once, twice."""

UPLOADS_BY_ADDRESS = 10
"""An address may upload as often as so many accounts: those of an office who do at the same time."""

SIGN_INS_PER_MINUTE = 100
"""Attempts from one address: an office in the morning. Passwords are guarded by the limits per account."""

ANONYMOUS_PER_MINUTE = 30
"""Openings of invitations and requests to join from one address: a workshop's worth."""

SIGN_INS_PER_ACCOUNT = 10
"""Attempts on one account from one address in five minutes: attempts from elsewhere lock no owner out."""

SIGN_INS_FROM_ANYWHERE = 100
"""Attempts on one account in five minutes, from wherever they come: 29,000 guesses a day."""


RETRY_S = 1.0
"""When something that is under way will have ended, most likely."""


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


def check_sign_in(address: str, email: str, device: str = "") -> None:
    """Count one attempt to sign in. Raises Refusal `rate_limited`.

    `device`: one on which the account has signed in before. Its attempts are counted by themselves: others'
    close it to nobody who has one.
    """
    account = email.strip().lower()
    if device:
        _count("sign-in", f"{device} {account}", f"{SIGN_INS_PER_ACCOUNT}/5m")
        return
    _count("sign-in", address, f"{SIGN_INS_PER_MINUTE}/m")
    _count("sign-in", f"{address} {account}", f"{SIGN_INS_PER_ACCOUNT}/5m")
    _count("sign-in", account, f"{SIGN_INS_FROM_ANYWHERE}/5m")


def check_single_sign_on(address: str) -> None:
    """Count a start of single sign-on, before the provider is asked. Raises Refusal `rate_limited`."""
    _count("sign-on", address, f"{SIGN_INS_PER_MINUTE}/m")


def check_anonymous(address: str) -> None:
    """Count an anonymous request. Raises Refusal `rate_limited`."""
    _count("stranger", address, f"{ANONYMOUS_PER_MINUTE}/m")


def check_wrong_keys(address: str) -> None:
    """Raises Refusal `rate_limited` for an address with too many wrong keys this minute. Counts nothing."""
    _count("wrong-key", address, f"{settings.WRONG_KEYS_PER_MINUTE}/m", increment=False)


def count_wrong_key(address: str) -> None:
    """Count an API key that is not valid. Raises Refusal `rate_limited`."""
    _count("wrong-key", address, f"{settings.WRONG_KEYS_PER_MINUTE}/m")


def _count(what: str, who: str, rate: str, *, increment: bool = True) -> RateUsage:
    """Count one in the window. Raises Refusal at the limit. Without `increment` it only checks."""
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


class Place:
    """One of the places of a ConcurrencyLimit; free again when it is released, or forgotten.

    The second is for a response that is never closed: that of a request whose client left before it was made.
    """

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back: Callable[[], None] | None = give_back

    def release(self) -> None:
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()

    def __del__(self) -> None:
        self.release()


class ConcurrencyLimit:
    """Limits what one person runs at the same time in this process to `most`; more is refused, not queued."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._running: Counter[int] = Counter()

    def take(self, person: int) -> Place:
        """A place, to be released. Raises Refusal `rate_limited` where this would be one too many."""
        with self._lock:
            if self._running[person] >= self._most:
                message = _("%(most)s of these are under way for you already. Wait for one, then try again.")
                raise Refusal("rate_limited", message % {"most": self._most}, RETRY_S)
            self._running[person] += 1
        return Place(partial(self._give_back, person))

    def _give_back(self, person: int) -> None:
        with self._lock:
            self._running[person] -= 1
            if not self._running[person]:
                del self._running[person]


HELD_S = 30
"""Seconds after which a place counts as free although nobody gave it back: its process has died."""


@contextmanager
def one_at_a_time(what: str, person: int) -> Iterator[None]:
    """A person's only place of this kind, over all processes that share the cache.

    Raises Refusal `rate_limited` while it is taken.
    """
    key, mine = f"one:{what}:{person}", secrets.token_hex(8)
    if not cache.add(key, mine, HELD_S):
        message = _("One of these is under way for you already. Wait for it, then try again.")
        raise Refusal("rate_limited", message, RETRY_S)
    try:
        yield
    finally:
        if cache.get(key) == mine:
            cache.delete(key)


class FrameBucket:
    """A token bucket for frames, before they are parsed: `rate` a second on average, `burst` at once.

    `refused` counts frames beyond the rate since the bucket was last full.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = time.monotonic()
        self.refused = 0

    def take(self, now: float | None = None) -> bool:
        """Take a token; False where there is none."""
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
