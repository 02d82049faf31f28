"""The circuit breaker: after repeated engine failures, refuse requests at once instead of queueing them.

Source: Nygard, "Release It!", 2007. Closed: all pass. After `failures` in a row it opens: none pass for
`open_s`, doubled with each failed probe up to `longest_open_s`. Then half-open: one probe passes; its
success closes the breaker, its failure opens it again. Pure: the clock is an argument.
"""

from __future__ import annotations

from typing import Literal

BreakerState = Literal["closed", "open", "half_open"]


class CircuitBreaker:
    """The circuit breaker of one engine."""

    def __init__(self, *, failures: int = 3, open_s: float = 5.0, longest_open_s: float = 60.0) -> None:
        """Three failures in a row are no accident; five seconds is a fast engine restart; a minute is the
        longest that a repaired engine should go unnoticed."""
        if failures < 1:
            raise ValueError(f"failures={failures}: must be at least 1")
        if not 0 < open_s <= longest_open_s:
            raise ValueError(f"open_s={open_s}: must be above 0 and at most longest_open_s={longest_open_s}")
        self._limit = failures
        self._shortest_s = open_s
        self._longest_s = longest_open_s
        self._failed = 0
        self._open_s = open_s
        self._opened_at: float | None = None
        self._probing = False

    def state(self, now: float) -> BreakerState:
        """`half_open` from the moment that a probe may pass until it has reported."""
        if self._opened_at is None:
            return "closed"
        return "half_open" if now - self._opened_at >= self._open_s else "open"

    def allow(self, now: float) -> bool:
        """Whether a request may pass now. In half-open, the first to ask is the probe and must report."""
        state = self.state(now)
        if state == "closed":
            return True
        if state == "open" or self._probing:
            return False
        self._probing = True
        return True

    def succeeded(self, now: float) -> None:
        """A request was served: close and forget all failures."""
        self._failed = 0
        self._open_s = self._shortest_s
        self._opened_at = None
        self._probing = False

    def failed(self, now: float) -> None:
        """The engine failed. One report of a probe's failure opens again, for twice as long."""
        self._failed += 1
        if self._opened_at is not None:
            if self._probing:
                self._open_s = min(self._longest_s, 2 * self._open_s)
                self._opened_at = now
                self._probing = False
        elif self._failed >= self._limit:
            self._opened_at = now

    def abandoned(self, now: float) -> None:
        """The probe ended without an answer about the engine (cancelled by its user): let another probe."""
        self._probing = False

    def retry_after_s(self, now: float) -> float:
        """Seconds until a probe may pass; 0 when closed."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._open_s - now)
