"""The log and the rows with a clock beside them: what they cost becomes metrics."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence

from inference.dispatch.store import Answer, Claim, Outcome, Store
from inference.metrics import Metrics
from inference.stream_log.base import Event, Notice, StreamLog


class MeasuredStore:
    """A store whose writes are timed and whose outcomes are counted."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    async def claim(self, claims: Sequence[Claim]) -> set[str]:
        return await self._store.claim(claims)

    async def checkpoint(self, answers: Sequence[Answer]) -> None:
        with self._metrics.checkpoint.time():
            await self._store.checkpoint(answers)

    async def finish(self, outcomes: Sequence[Outcome]) -> Mapping[str, Outcome]:
        with self._metrics.checkpoint.time():
            written = await self._store.finish(outcomes)
        for outcome in written.values():
            self._metrics.ended(outcome.status, outcome.request_class, outcome.usage)
        return written


class MeasuredLog(StreamLog):
    """A stream log whose appends are timed."""

    def __init__(self, log: StreamLog, metrics: Metrics) -> None:
        self._log = log
        self._metrics = metrics

    async def append(self, events: Sequence[tuple[str, Event]], *, epoch: int) -> Sequence[str]:
        with self._metrics.append.time():
            return await self._log.append(events, epoch=epoch)

    async def epoch(self) -> int:
        return await self._log.epoch()

    async def notify(self, notices: Mapping[str, Notice]) -> None:
        await self._log.notify(notices)

    async def read(self, generation: str, after: int) -> list[Event]:
        return await self._log.read(generation, after)

    def follow(self, generation: str, after: int) -> AsyncGenerator[list[Event | Notice], None]:
        return self._log.follow(generation, after)

    async def close(self) -> None:
        await self._log.close()
