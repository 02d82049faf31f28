"""Tokens per second over the last seconds."""

from __future__ import annotations

from collections import deque

WINDOW_S = 5.0
"""Long enough that single steps do not make the figure jump, short enough to follow the load."""


class Throughput:
    """Counts tokens on a monotonic clock passed in."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int]] = deque()
        self._total = 0

    def add(self, tokens: int, now: float) -> None:
        if tokens:
            self._counts.append((now, tokens))
            self._total += tokens
        self._trim(now)

    def per_s(self, now: float) -> float:
        self._trim(now)
        return self._total / WINDOW_S

    def _trim(self, now: float) -> None:
        while self._counts and self._counts[0][0] <= now - WINDOW_S:
            self._total -= self._counts.popleft()[1]
