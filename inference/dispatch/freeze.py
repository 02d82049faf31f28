"""Tells a frozen engine from a starved one, by looking at it now and then. Pure: a look is a call.

An engine that has work and does not step is either stuck (stopped, deadlocked, its card gone) or short of
processor time. Both keep their health flag. What tells them apart is *labour*: the seconds in which its
processes computed or stood in the kernel's run queue. Who is starved stands there all the time; who is
stuck does not. An engine that spins for ever labours too, so labour buys patience, not immunity.

Looks are counted, not seconds: when this whole process was stopped for a minute, or is itself starved,
it is late to look, and the engine is not to blame for that.
"""

from __future__ import annotations

from collections import deque

from inference.engines.base import EngineStats

PATIENCE = 6
"""Graces without a step after which labour no longer excuses it: six times the longest healthy step."""

PACE = 3
"""The grace is at least this many of the slowest recent steps, which grow with batch and contention."""

REMEMBERED = 32
"""Steps whose pace counts as recent, as looks see them: with a look every 2.5 s, at least a minute."""

LABOUR_SHARE = 0.05
"""Of one processor: under it an engine idles. Stopped ones measure 0, starved ones about 1."""


class FreezeWatch:
    """`looks` make one grace period; they are `every_s` apart."""

    def __init__(self, looks: int, every_s: float) -> None:
        self._looks = looks
        self._labour_per_look = LABOUR_SHARE * every_s
        self._pace: deque[int] = deque([0], maxlen=REMEMBERED)
        self._steps = -1
        self._labour_s: float | None = None
        self._unmoved = 0
        self._lifeless = 0

    @property
    def unmoved(self) -> int:
        """Looks since the last step that the engine owed."""
        return self._unmoved

    def look(self, stats: EngineStats, *, busy: bool, labour_s: float | None) -> bool:
        """Whether it is frozen. `labour_s` None: it cannot tell, so only its steps are signs of life."""
        laboured = self._laboured(labour_s)
        if not busy or stats.steps != self._steps:
            if busy:
                self._pace.append(self._unmoved + 1)
            self._steps, self._unmoved, self._lifeless = stats.steps, 0, 0
            return False
        self._unmoved += 1
        self._lifeless = 0 if laboured else self._lifeless + 1
        return self._lifeless >= self._grace or self._unmoved >= PATIENCE * self._looks

    @property
    def _grace(self) -> int:
        return max(self._looks, PACE * max(self._pace))

    def _laboured(self, labour_s: float | None) -> bool:
        before, self._labour_s = self._labour_s, labour_s
        return labour_s is not None and before is not None and labour_s - before >= self._labour_per_look
