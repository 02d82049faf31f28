"""Progress of a step that moves a known number of bytes: how many, which share, and the time that is left."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from inference.engines.base import Progress

MEGABYTE = 1_000_000

LEAST_SHARE = 0.02
"""Of the step before its pace is foretold: the first seconds are connecting and slow start."""


def time_left(elapsed_s: float, fraction: float) -> str:
    """ ", 43 s left" by the pace so far, or "" while it cannot be told."""
    if not LEAST_SHARE <= fraction < 1:
        return ""
    left_s = elapsed_s * (1 - fraction) / fraction
    return f", {left_s:.0f} s left" if left_s < 120 else f", {left_s / 60:.0f} min left"


class TransferMeter:
    """Reports one step's bytes. What was there when it began says nothing about its pace."""

    def __init__(
        self, progress: Progress, step: str, total: int, done: int = 0, now: Callable[[], float] = monotonic
    ) -> None:
        self._progress = progress
        self._step = step
        self._total = total
        self._start = done
        self._now = now
        self._began = now()
        self.update(done)

    def update(self, done: int) -> None:
        """`done` bytes of the step are there by now."""
        moved, wanted = done - self._start, self._total - self._start
        left = time_left(self._now() - self._began, moved / wanted if wanted else 1.0)
        share = min(done / self._total, 1.0)
        self._progress(
            f"{self._step}: {done // MEGABYTE} of {self._total // MEGABYTE} MB ({share:.0%}){left}", share
        )
