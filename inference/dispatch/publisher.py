"""The publisher: the write end of the stream log.

The dispatcher puts events and goes on; while one append is under way the next batch gathers, so that a
slow log delays no engine step and still gets everything in order. A log that was lost (or could not be
reached) is re-seeded from the jobs, whose text is the truth while this process lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from inference.dispatch.backoff import Backoff
from inference.dispatch.job import Job
from inference.stream_log.base import Delta, Event, Finished, Notice, StreamLog

GIVE_UP_S = 600.0
"""An ended generation is re-seeded no longer than a healthy log would have held it."""


class Publisher:
    """Appends the events of one owner, `epoch`. `clock` is monotonic seconds."""

    def __init__(self, log: StreamLog, epoch: int, clock: Callable[[], float]) -> None:
        self._log = log
        self._epoch = epoch
        self._clock = clock
        self._events: list[tuple[str, Event]] = []
        self._jobs: dict[str, Job] = {}
        self._notices: dict[str, Notice] = {}
        self._lost: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, job: Job, event: Event) -> None:
        """Append soon. For a lost log the coming snapshot says it all."""
        if job.generation in self._lost and isinstance(event, Delta):
            return
        self._jobs[job.generation] = job
        self._events.append((job.generation, event))
        self._wake.set()
        self._idle.clear()

    def notify(self, generation: str, notice: Notice) -> None:
        """Tell readers soon; the latest wins."""
        self._notices[generation] = notice
        self._wake.set()

    async def flushed(self) -> None:
        """Wait until everything put so far was taken by the log."""
        await self._idle.wait()

    async def run(self) -> None:
        """Until cancelled. Raises FencedError."""
        backoff = Backoff()
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._tell()
            if await self._append():
                backoff.reset()
            else:
                await backoff.sleep()
                self._wake.set()

    async def _tell(self) -> None:
        if self._notices:
            notices, self._notices = self._notices, {}
            await self._log.notify(notices)

    async def _append(self) -> bool:
        """One append of all there is; False when a log that was just re-seeded is lost again."""
        events, self._events = self._reseeds() + self._events, []
        retried, self._lost = self._lost, {}
        if not events:
            self._idle.set()
            return True
        lost = await self._log.append(events, epoch=self._epoch)
        now = self._clock()
        self._lost = {generation: retried.get(generation, now) for generation in lost}
        self._forget(events)
        if self._lost:
            self._wake.set()
        elif not self._events:
            self._idle.set()
        return self._lost.keys().isdisjoint(retried)

    def _reseeds(self) -> list[tuple[str, Event]]:
        """A snapshot for each lost log, and the end where it had one."""
        reseeds: list[tuple[str, Event]] = []
        for generation, since in self._lost.items():
            job = self._jobs.get(generation)
            if job is None:  # given up before
                continue
            if self._clock() - since > GIVE_UP_S and job.finished is not None:
                del self._jobs[generation]
                continue
            if job.seq:
                reseeds.append((generation, job.snapshot))
            if job.finished is not None:
                reseeds.append((generation, job.finished))
        return reseeds

    def _forget(self, events: list[tuple[str, Event]]) -> None:
        """Let go of jobs whose last event the log has."""
        for generation, event in events:
            if isinstance(event, Finished) and generation not in self._lost:
                self._jobs.pop(generation, None)
