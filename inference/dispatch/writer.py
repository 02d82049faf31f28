"""The batching writer: checkpoints together, outcomes at once, nothing lost while this process lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from inference.dispatch.backoff import Backoff
from inference.dispatch.job import Job
from inference.dispatch.store import Store
from inference.stream_log.base import FencedError

log = logging.getLogger(__name__)

LOOK_S = 0.25
"""How often due checkpoints are gathered: coarse, so that many become due together."""

CHECKPOINT_S = 1.0
"""Between checkpoints of a short answer: what a killed process may lose of it."""

LONGEST_CHECKPOINT_S = 5.0
"""Between checkpoints of a long one: rewriting a long text every second is quadratic work."""

CHARS_PER_SECOND = 2000
"""Text that adds a second between checkpoints: 8,000 characters reach the longest."""


class Writer:
    """Writes to the store, one batch at a time.

    `running` lists the jobs that may need a checkpoint; `recorded` hears of each job whose outcome was
    written, or whose row was erased meanwhile.
    """

    def __init__(
        self,
        store: Store,
        running: Callable[[], Iterable[Job]],
        recorded: Callable[[Job], None],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._running = running
        self._recorded = recorded
        self._clock = clock
        self._ended: list[Job] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def finish(self, job: Job) -> None:
        """Write this job's outcome at once, with whatever else is due."""
        self._ended.append(job)
        self._idle.clear()
        self._wake.set()

    async def flushed(self) -> None:
        """Wait until every outcome is written."""
        await self._idle.wait()

    async def run(self) -> None:
        """Until cancelled. Raises FencedError."""
        backoff = Backoff()
        while True:
            await self._due()
            try:
                await self._finish()
                await self._checkpoint()
            except FencedError:
                raise
            except Exception:
                log.exception("Writing answers failed; it is tried again")
                await backoff.sleep()
            else:
                backoff.reset()

    async def _due(self) -> None:
        if self._ended:
            return
        self._wake.clear()
        loop = asyncio.get_running_loop()
        timer = loop.call_later(LOOK_S, self._wake.set)
        await self._wake.wait()
        timer.cancel()

    async def _finish(self) -> None:
        jobs = list(self._ended)
        if not jobs:
            return
        held = await self._store.finish([job.outcome for job in jobs if job.outcome])
        del self._ended[: len(jobs)]
        for job in jobs:
            job.outcome = held.get(job.generation, job.outcome)
            self._recorded(job)
        if not self._ended:
            self._idle.set()

    async def _checkpoint(self) -> None:
        now = self._clock()
        due = [job for job in self._running() if job.seq > job.checkpoint_seq and now >= job.checkpoint_due]
        if not due:
            return
        answers = [job.answer for job in due]
        await self._store.checkpoint(answers)
        now = self._clock()
        for job, answer in zip(due, answers, strict=True):
            job.checkpoint_seq = answer.seq
            job.checkpoint_due = now + min(LONGEST_CHECKPOINT_S, CHECKPOINT_S + job.chars / CHARS_PER_SECOND)
