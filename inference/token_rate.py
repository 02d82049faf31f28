"""How fast the engine works, in tokens per second of busy time: a decaying average."""

from __future__ import annotations

import math

MEMORY_S = 20.0
"""Time constant: long enough to smooth one answer's end, short enough to follow a changed load."""


class TokenRate:
    """Tokens ÷ busy seconds, both forgotten exponentially. Idle time counts for nothing."""

    def __init__(self, memory_s: float = MEMORY_S) -> None:
        self._memory_s = memory_s
        self._tokens = 0.0
        self._seconds = 0.0
        self._at: float | None = None

    def add(self, tokens: int, now: float) -> None:
        """So many tokens were computed by `now`, in busy time since the last call."""
        if self._at is not None and now > self._at:
            fade = math.exp((self._at - now) / self._memory_s)
            self._tokens *= fade
            self._seconds = self._seconds * fade + now - self._at
        self._at = now
        self._tokens += tokens

    def idle(self) -> None:
        """Nothing runs: time until the next tokens says nothing about the engine."""
        self._at = None

    def per_s(self) -> float | None:
        """None until a second of work was seen."""
        return self._tokens / self._seconds if self._seconds >= 1.0 else None
