"""Progress on the command line: one line that is updated on a terminal, one line at the end elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from django.core.management.base import OutputWrapper

ProgressCallback = Callable[[int, int], None]
"""Takes how much is done, and of how much; it may raise to end the work."""

EVERY_S = 0.2
"""A line that changes more often cannot be read."""


def ignore_progress(done: int, total: int) -> None:
    """Progress that nobody waits for."""


class CommandLineProgress:
    """Takes (done, total), as the work tells it."""

    def __init__(self, out: OutputWrapper) -> None:
        self._out = out
        self._last = float("-inf")
        self._moves = bool(getattr(out, "isatty", bool)())

    def __call__(self, done: int, total: int) -> None:
        is_over = done == total and total > 0
        if not is_over and (not self._moves or monotonic() - self._last < EVERY_S):
            return
        self._last = monotonic()
        share = f"{done / total:.0%}" if total else ""
        start = "\r" if self._moves else ""
        # Django's own stream adds the end of a line unless it is told which.
        end = "\n" if is_over or not self._moves else ""
        self._out.write(f"{start}{done:,} of {total:,} {share}", ending=end)
        self._out.flush()
