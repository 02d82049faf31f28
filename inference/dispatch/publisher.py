"""The publisher: the write end of the stream log, and positions in the queue.

The dispatcher puts events and goes on; while one append is under way the next batch gathers, so that a
slow log delays no engine step and still gets everything in order. A log that was lost (or could not be
reached) is re-seeded from the active generations, whose text is the truth while this process lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from inference.backoff import Backoff
from inference.dispatch.active_generation import ActiveGeneration
from inference.scheduling.scheduler import QueuePosition
from inference.stream_log.base import Delta, Event, Finished, Queued, StreamLog, StreamStatus

GIVE_UP_S = 600.0
"""An ended generation is re-seeded no longer than a healthy log would have held it."""

NOTIFY_S = 2.0
"""Between two positions sent to one reader: often enough to feel served, seldom enough to read."""

POLL_S = 0.25
"""Between two reads of a short queue: a newcomer learns the position before wondering."""

LONG_QUEUE = 200
"""Waiting requests above which the queue, which costs time to order, is read every `NOTIFY_S` only."""


class Publisher:
    """Appends the events of one owner, `epoch`. `clock` is monotonic seconds."""

    def __init__(self, log: StreamLog, epoch: int, clock: Callable[[], float]) -> None:
        self._log = log
        self._epoch = epoch
        self._clock = clock
        self._events: list[tuple[str, Event]] = []
        self._unfinished: dict[str, ActiveGeneration] = {}
        self._statuses: dict[str, StreamStatus] = {}
        self._lost: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def unfinished(self) -> frozenset[str]:
        """Generations of which something was put, and whose last event the log has not taken yet."""
        return frozenset(self._unfinished)

    def put(self, active: ActiveGeneration, event: Event) -> None:
        """Append soon. Where the log was lost, the coming snapshot holds it all."""
        if active.generation in self._lost and isinstance(event, Delta):
            return
        self._unfinished[active.generation] = active
        self._events.append((active.generation, event))
        self._wake.set()
        self._idle.clear()

    def publish_status(self, generation: str, status: StreamStatus) -> None:
        """Publish a status soon; the latest wins."""
        self._statuses[generation] = status
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
            await self._publish_statuses()
            if await self._append():
                backoff.reset()
            else:
                await backoff.sleep()
                self._wake.set()

    async def _publish_statuses(self) -> None:
        if self._statuses:
            statuses, self._statuses = self._statuses, {}
            await self._log.publish_status(statuses)

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
            active = self._unfinished.get(generation)
            if active is None:  # given up before
                continue
            if self._clock() - since > GIVE_UP_S and active.finished is not None:
                del self._unfinished[generation]
                continue
            if active.seq:
                reseeds.append((generation, active.snapshot))
            if active.finished is not None:
                reseeds.append((generation, active.finished))
        return reseeds

    def _forget(self, events: list[tuple[str, Event]]) -> None:
        """Let go of generations whose last event the log has."""
        for generation, event in events:
            if isinstance(event, Finished) and generation not in self._lost:
                self._unfinished.pop(generation, None)


class Positions:
    """Remembers the last status of each waiting generation, and yields only what changed."""

    def __init__(self) -> None:
        self._notified: dict[str, tuple[float, Queued]] = {}
        self._next_read = 0.0

    def due(self, now: float) -> bool:
        """Whether the queue should be read."""
        return now >= self._next_read

    def updates(self, queue: Iterable[QueuePosition], now: float) -> dict[str, Queued]:
        """The statuses to send for this queue: newcomers at once, changes at most every `NOTIFY_S`."""
        notified, updates = {}, {}
        for place in queue:
            eta_s = None if place.eta_s is None else round(place.eta_s, 1)
            status = Queued(position=place.position, eta_s=eta_s)
            at, before = self._notified.get(place.generation, (-NOTIFY_S, None))
            if before is None or (status != before and now - at >= NOTIFY_S):
                at, before = now, status
                updates[place.generation] = status
            notified[place.generation] = (at, before)
        self._notified = notified
        self._next_read = now + (NOTIFY_S if len(notified) > LONG_QUEUE else POLL_S)
        return updates
