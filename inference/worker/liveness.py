"""Whether this very inference process lives: its event loop turns, and as the owner it reads the queue.

Told by the process itself, at `/healthz` of its metrics port (inference/management/health_server.py): the
status in Redis is the owner's alone, and says nothing of a standby.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Literal

Role = Literal["standby", "owner", "draining"]

TICK_S = 1.0
"""Between two signs that the event loop turns."""

SILENT_S = 10.0
"""Without a sign for so long the process hangs: a busy loop is late by a fraction of a second."""


class Liveness:
    """Signs of life; written on the event loop, read in any thread. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.role: Role = "standby"
        self._clock = clock
        self._ticked = clock()
        self._read: float | None = None

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            self._ticked = self._clock()
            await asyncio.sleep(TICK_S)

    def queue_was_read(self) -> None:
        """Intake has read the queue to its end, or has just become the one to read it."""
        self._read = self._clock()

    @property
    def loop_age_s(self) -> float:
        """Seconds since the event loop turned."""
        return self._clock() - self._ticked

    @property
    def intake_age_s(self) -> float | None:
        """Seconds since the queue was read; None before this process owned it."""
        return None if self._read is None else self._clock() - self._read

    @property
    def alive(self) -> bool:
        return self.loop_age_s < SILENT_S
