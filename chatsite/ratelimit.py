"""Rate limits by account, in fixed windows, counted in the cache: exact over processes that share it."""

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


@dataclass(frozen=True)
class RateUsage:
    """The minute's window of one account: questions allowed, still left, and seconds until it is over."""

    limit: int
    remaining: int
    reset_s: float


def check_rate(user_id: int, *, is_staff: bool) -> RateUsage:
    """Count one question of this account. Raises Refusal `rate_limited` with the time to the next window."""
    per_second = STAFF_PER_SECOND if is_staff else USER_PER_SECOND
    usage = None
    for rate in (f"{per_second}/s", f"{settings.RATE_LIMIT_PER_MINUTE}/m"):
        usage = get_usage(
            SimpleNamespace(method="POST", user_id=user_id),
            group=f"submit:{rate}",
            key=lambda _group, request: str(request.user_id),
            rate=rate,
            increment=True,
        )
        if usage and usage["should_limit"]:
            wait = max(1.0, float(usage["time_left"]))
            raise Refusal(
                "rate_limited",
                f"At most {usage['limit']} questions in this time are allowed; please wait {wait:.0f} s.",
                wait,
            )
    if not usage:
        return RateUsage(settings.RATE_LIMIT_PER_MINUTE, settings.RATE_LIMIT_PER_MINUTE, 0.0)
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
