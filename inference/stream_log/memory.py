"""The stream log in memory, for web and inference in one process."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

from inference.stream_log.base import (
    Event,
    FencedError,
    Finished,
    GapError,
    Snapshot,
    StreamLog,
    StreamStatus,
)

MAX_ENTRIES = 4096
"""Per stream: the longest checkpoint interval (5 s) at 800 steps/s, far above any engine's pace."""

EXPIRY_S = 600.0
"""After Finished: longer than any reader needs to come back for the tail; then the row serves alone."""


class _Stream:
    """The events of one generation: contiguous seqs, the first perhaps a Snapshot."""

    __slots__ = ("events", "finished", "readers", "status", "status_version", "waiters")

    def __init__(self) -> None:
        self.events: deque[Event] = deque()
        self.status: StreamStatus | None = None
        self.status_version = 0
        self.readers = 0
        self.waiters: list[asyncio.Future[None]] = []
        self.finished = False

    def append(self, event: Event, max_entries: int) -> bool:
        """Append an event that follows, ignore one already held; False where the log was lost."""
        events = self.events
        if isinstance(event, Snapshot):
            events.clear()
        else:
            last = events[-1].seq if events else 0
            if event.seq <= last:
                return True
            if event.seq != last + 1:
                return False
        events.append(event)
        if len(events) > max_entries:
            events.popleft()
        self.finished = isinstance(event, Finished)
        return True

    def after(self, cursor: int) -> list[Event]:
        """Events behind the cursor. Raises GapError where they are no longer held."""
        events = self.events
        if not events:
            if cursor > 0:
                raise GapError(f"nothing is held, the cursor is at {cursor}")
            return []
        missing = events[-1].seq - cursor
        if missing <= 0:
            return []
        if missing <= len(events):
            return [events[index] for index in range(-missing, 0)]
        if isinstance(events[0], Snapshot):
            return list(events)
        raise GapError(f"the log begins at {events[0].seq}, the cursor is at {cursor}")

    def wake(self) -> None:
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class MemoryStreamLog(StreamLog):
    """The stream log in memory. Followers read one list with their own cursors, so slow ones cost nothing
    more.

    `clock` is monotonic seconds. All calls come from one event loop.
    """

    outlives_process = False

    def __init__(
        self,
        *,
        max_entries: int = MAX_ENTRIES,
        expiry_s: float = EXPIRY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_entries = max_entries
        self._expiry_s = expiry_s
        self._clock = clock
        self._epoch = 0
        self._streams: dict[str, _Stream] = {}
        self._expiring: deque[tuple[float, str]] = deque()
        self._closed = False

    @property
    def streams(self) -> int:
        """Streams held: a figure for metrics and leak tests."""
        return len(self._streams)

    async def append(self, events: Sequence[tuple[str, Event]], *, epoch: int) -> Sequence[str]:
        if epoch < self._epoch:
            raise FencedError(f"epoch {epoch} wrote after epoch {self._epoch}")
        self._epoch = epoch
        lost: dict[str, None] = {}
        touched: list[_Stream] = []
        for generation, event in events:
            stream = self._open(generation)
            if not stream.append(event, self._max_entries):
                lost[generation] = None
            elif stream.finished:
                self._expiring.append((self._clock() + self._expiry_s, generation))
            if stream.waiters:
                touched.append(stream)
        for stream in touched:
            stream.wake()
        self._expire()
        return list(lost)

    async def epoch(self) -> int:
        return self._epoch

    async def publish_status(self, statuses: Mapping[str, StreamStatus]) -> None:
        for generation, status in statuses.items():
            stream = self._open(generation)
            if stream.finished:
                continue
            stream.status = status
            stream.status_version += 1
            stream.wake()

    async def read(self, generation: str, after: int) -> list[Event]:
        self._expire()
        stream = self._streams.get(generation)
        if stream is None:
            if after > 0:
                raise GapError(f"nothing is held of {generation}, the cursor is at {after}")
            return []
        return stream.after(after)

    async def follow(self, generation: str, after: int) -> AsyncGenerator[list[Event | StreamStatus], None]:
        self._expire()
        stream = self._open(generation)
        stream.readers += 1
        seen_version = 0
        try:
            while True:
                batch: list[Event | StreamStatus] = []
                if seen_version < stream.status_version and not stream.finished:
                    assert stream.status is not None
                    batch.append(stream.status)
                seen_version = stream.status_version
                events = stream.after(after)
                if events:
                    after = events[-1].seq
                    batch += events
                if batch:
                    yield batch
                if stream.finished and after >= stream.events[-1].seq:
                    return
                if seen_version < stream.status_version or (stream.events and stream.events[-1].seq > after):
                    continue
                if self._closed or self._streams.get(generation) is not stream:
                    return
                waiter = asyncio.get_running_loop().create_future()
                stream.waiters.append(waiter)
                await waiter
        finally:
            stream.readers -= 1
            if not stream.readers and not stream.events and stream.status is None:
                self._streams.pop(generation, None)

    async def close(self) -> None:
        self._closed = True
        for stream in self._streams.values():
            stream.wake()

    def _open(self, generation: str) -> _Stream:
        stream = self._streams.get(generation)
        if stream is None:
            stream = self._streams[generation] = _Stream()
        return stream

    def _expire(self) -> None:
        """Drop streams that ended long enough ago; the queue is in order since all live equally long."""
        now = self._clock()
        while self._expiring and self._expiring[0][0] <= now:
            stream = self._streams.pop(self._expiring.popleft()[1], None)
            if stream is not None:
                stream.wake()
