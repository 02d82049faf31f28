"""Measurements of the engine's work: output lengths by class, and tokens per second.

They are the basis of KV admission, of the estimated waits and of Retry-After.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import deque

from inference.request import RequestClass
from inference.scheduling.policy import CLASSES, Policy

WINDOW = 256
"""Answers kept per class: a p90 that is steady within a few percent, and follows within minutes."""

MIN_OBSERVATIONS = 20
"""Fewer observations say nothing about a p90; until then the policy's assumption holds."""


class OutputLengths:
    """The latest output lengths of each class, in tokens, in a sorted window."""

    def __init__(self, policy: Policy) -> None:
        self._assumed = policy.expected_output_tokens
        self._recent: dict[RequestClass, deque[int]] = {kind: deque() for kind in CLASSES}
        self._sorted: dict[RequestClass, list[int]] = {kind: [] for kind in CLASSES}

    def observe(self, kind: RequestClass, tokens: int) -> None:
        """Add the length of an answer that ended by itself."""
        recent, ordered = self._recent[kind], self._sorted[kind]
        recent.append(tokens)
        insort(ordered, tokens)
        if len(recent) > WINDOW:
            ordered.pop(bisect_right(ordered, recent.popleft()) - 1)

    def p90(self, kind: RequestClass) -> int:
        """Nine of ten answers are at most this long; the policy's assumption until enough were seen."""
        ordered = self._sorted[kind]
        if len(ordered) < MIN_OBSERVATIONS:
            return max(self._assumed, ordered[-1] if ordered else 0)
        return ordered[len(ordered) * 9 // 10]

    def mean(self, kind: RequestClass) -> float:
        """Mean length of a whole answer."""
        return self.mean_residual(kind, 0)

    def mean_residual(self, kind: RequestClass, produced: int) -> float:
        """Mean number of tokens still to come, given that so many have come already."""
        ordered = self._sorted[kind]
        if len(ordered) < MIN_OBSERVATIONS:
            return float(max(1, self._assumed // 2 - produced))
        longer = ordered[bisect_right(ordered, produced) :]
        if not longer:
            return max(1.0, produced / 2)
        return sum(longer) / len(longer) - produced


DECAY_S = 20.0
"""Time constant of the rate: long enough to smooth one answer's end, short enough to follow a changed
load."""


class TokenRate:
    """Tokens ÷ busy seconds, both forgotten exponentially. Idle time counts for nothing."""

    def __init__(self, decay_s: float = DECAY_S) -> None:
        self._decay_s = decay_s
        self._output = 0.0
        self._prompt = 0.0
        self._seconds = 0.0
        self._at: float | None = None

    def add(self, output: int, prompt: int, now: float) -> None:
        """Add output and prompt tokens of the busy time since the last call."""
        if now != self._at:
            self._decay(now)
        self._output += output
        self._prompt += prompt

    def idle(self) -> None:
        """Nothing runs: the time until the next tokens does not count."""
        self._at = None

    def output_per_s(self) -> float | None:
        """Output tokens per second; None until a second of work was seen."""
        return self._output / self._seconds if self._seconds >= 1.0 else None

    def work_per_s(self) -> float | None:
        """Output and prompt tokens per second; None until a second of work was seen."""
        return (self._output + self._prompt) / self._seconds if self._seconds >= 1.0 else None

    def _decay(self, now: float) -> None:
        if self._at is not None:
            factor = math.exp((self._at - now) / self._decay_s)
            self._output *= factor
            self._prompt *= factor
            self._seconds = self._seconds * factor + now - self._at
        self._at = now
