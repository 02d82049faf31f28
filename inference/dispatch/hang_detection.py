"""Tells an engine that hangs from one that is starved, by periodic checks. Pure: a check is a call.

An engine that has work and does not step is either stuck (stopped, deadlocked, its GPU gone) or short of
processor time; its health check passes in both cases. What tells them apart is CPU time: the seconds in which
its processes computed or stood in the kernel's run queue. Those of a starved engine stand there all the time;
those of a stuck one do not. An engine in an endless loop uses CPU time too, so CPU time buys patience, not
immunity.

Checks are counted, not seconds: when this whole process was stopped for a minute, or is itself starved, its
checks are late, and the engine is not to blame for that.
"""

from __future__ import annotations

from collections import deque

from inference.engines.base import EngineStats

PATIENCE = 6
"""Grace periods without a step after which CPU time is no excuse: six times the longest healthy step."""

PACE = 3
"""The grace period is at least this many of the slowest recent steps, which vary with load."""

REMEMBERED = 32
"""Steps whose pace counts as recent, as checks see them: with a check every 2.5 s, at least a minute."""

CPU_SHARE = 0.05
"""Of one processor: under it an engine idles. Stopped ones measure 0, starved ones about 1."""


class HangDetector:
    """`checks` make one grace period; they are `every_s` apart."""

    def __init__(self, checks: int, every_s: float) -> None:
        self._checks = checks
        self._cpu_time_per_check = CPU_SHARE * every_s
        self._pace: deque[int] = deque([0], maxlen=REMEMBERED)
        self._steps = -1
        self._cpu_time_s: float | None = None
        self._unmoved = 0
        self._stalled = 0

    @property
    def unmoved(self) -> int:
        """Checks since the last step that the engine owed."""
        return self._unmoved

    def check(self, stats: EngineStats, *, busy: bool, cpu_time_s: float | None) -> bool:
        """Whether it hangs. `cpu_time_s` None: it is not known, so only steps are signs of life."""
        working = self._used_cpu(cpu_time_s)
        if not busy or stats.steps != self._steps:
            if busy:
                self._pace.append(self._unmoved + 1)
            self._steps, self._unmoved, self._stalled = stats.steps, 0, 0
            return False
        self._unmoved += 1
        self._stalled = 0 if working else self._stalled + 1
        return self._stalled >= self._grace or self._unmoved >= PATIENCE * self._checks

    @property
    def _grace(self) -> int:
        return max(self._checks, PACE * max(self._pace))

    def _used_cpu(self, cpu_time_s: float | None) -> bool:
        before, self._cpu_time_s = self._cpu_time_s, cpu_time_s
        return (
            cpu_time_s is not None and before is not None and cpu_time_s - before >= self._cpu_time_per_check
        )
