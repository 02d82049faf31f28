"""How fast the engine works, in tokens per second of busy time: a decaying average."""

from __future__ import annotations

import math

MEMORY_S = 20.0
"""Time constant: long enough to smooth one answer's end, short enough to follow a changed load."""


class TokenRate:
    """Tokens ÷ busy seconds, both forgotten exponentially. Idle time counts for nothing."""

    def __init__(self, memory_s: float = MEMORY_S) -> None:
        self._memory_s = memory_s
        self._output = 0.0
        self._prompt = 0.0
        self._seconds = 0.0
        self._at: float | None = None

    def add(self, output: int, prompt: int, now: float) -> None:
        """So many tokens were made and so many of prompts computed, in busy time since the last call."""
        if now != self._at:
            self._fade(now)
        self._output += output
        self._prompt += prompt

    def idle(self) -> None:
        """Nothing runs: time until the next tokens says nothing about the engine."""
        self._at = None

    def output_per_s(self) -> float | None:
        """Output tokens per second; None until a second of work was seen."""
        return self._output / self._seconds if self._seconds >= 1.0 else None

    def work_per_s(self) -> float | None:
        """Output and prompt tokens per second; None until a second of work was seen."""
        return (self._output + self._prompt) / self._seconds if self._seconds >= 1.0 else None

    def _fade(self, now: float) -> None:
        if self._at is not None:
            fade = math.exp((self._at - now) / self._memory_s)
            self._output *= fade
            self._prompt *= fade
            self._seconds = self._seconds * fade + now - self._at
        self._at = now
