"""How long answers turn out to be, by class: the basis of KV admission and of the wait estimate."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque

from inference.request import RequestClass
from inference.scheduling.policy import CLASSES, Policy

WINDOW = 256
"""Answers remembered per class: a p90 that is steady within a few percent, and follows within minutes."""

ENOUGH = 20
"""Fewer observations say nothing about a p90; until then the policy's assumption holds."""


class OutputLengths:
    """The latest output lengths of each class, in tokens, in a sorted window."""

    def __init__(self, policy: Policy) -> None:
        self._assumed = policy.expected_output_tokens
        self._recent: dict[RequestClass, deque[int]] = {kind: deque() for kind in CLASSES}
        self._sorted: dict[RequestClass, list[int]] = {kind: [] for kind in CLASSES}

    def observe(self, kind: RequestClass, tokens: int) -> None:
        """An answer of this class ended by itself after so many tokens."""
        recent, ordered = self._recent[kind], self._sorted[kind]
        recent.append(tokens)
        insort(ordered, tokens)
        if len(recent) > WINDOW:
            ordered.pop(bisect_right(ordered, recent.popleft()) - 1)

    def p90(self, kind: RequestClass) -> int:
        """Nine of ten answers are at most this long; the policy's assumption until enough were seen."""
        ordered = self._sorted[kind]
        if len(ordered) < ENOUGH:
            return max(self._assumed, ordered[-1] if ordered else 0)
        return ordered[len(ordered) * 9 // 10]

    def mean(self, kind: RequestClass) -> float:
        """Mean length of a whole answer."""
        return self.mean_residual(kind, 0)

    def mean_residual(self, kind: RequestClass, produced: int) -> float:
        """Mean number of tokens still to come, given that so many have come already."""
        ordered = self._sorted[kind]
        if len(ordered) < ENOUGH:
            return float(max(1, self._assumed // 2 - produced))
        longer = ordered[bisect_right(ordered, produced) :]
        if not longer:
            return max(1.0, produced / 2)
        return sum(longer) / len(longer) - produced
