"""The inference process's status: one small snapshot, published every second, read by the web tier.

It answers "is the engine up, what is it, how many wait": for /readyz, the page's status line and the
console. It is a hint and carries its own age; the rows stay the truth. Beside it lie samples of the last
half hour, for the console's sparklines.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from inference.engines.base import EngineInfo, EngineStats

if TYPE_CHECKING:  # two tenths of a second that a site without Redis saves
    from redis.asyncio import Redis

EngineState = Literal["starting", "ready", "restarting", "failed", "paused", "draining", "down"]


class InferenceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Engine and queue at one moment, `at` (wall-clock seconds); `progress` is 0..1 while starting, if known.

    `retry_after_s` is the Retry-After of a full queue: when the queue as it stands is served. While
    `refused_for_s` is set every new request is refused: the engine fails again and again. `intake_age_s`:
    seconds since the queue was read.
    """

    at: float
    state: EngineState
    detail: str = ""
    progress: float | None = None
    info: EngineInfo | None = None
    stats: EngineStats | None = None
    waiting: dict[str, int] = msgspec.field(default_factory=dict)
    running: dict[str, int] = msgspec.field(default_factory=dict)
    tokens_per_s: float = 0.0
    retry_after_s: float | None = None
    refused_for_s: float | None = None
    intake_age_s: float | None = None


class Sample(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The load of SAMPLE_S seconds. `at`: their end, wall-clock seconds.

    `running` and `waiting` are the most at once, `tokens_per_s` the mean, `ttft_p95_s` that of the answers
    that ended in the last minutes; None where none did.
    """

    at: float
    running: int
    waiting: int
    tokens_per_s: float
    ttft_p95_s: float | None = None


SAMPLE_S = 15.0
"""A pixel of a sparkline."""

SAMPLES_KEPT = 120
"""Half an hour: what happened before somebody opened the page, and a few kilobytes."""

STALE_AFTER_S = 5.0
"""Five missed publications: the inference process is gone or hangs."""


class StatusStore(ABC):
    """Where the latest status and its samples are kept: this process's memory, or Redis."""

    @abstractmethod
    async def publish(self, status: InferenceStatus) -> None: ...

    @abstractmethod
    async def latest(self) -> InferenceStatus | None:
        """The last status published, however old; None if there never was one."""

    @abstractmethod
    async def record(self, sample: Sample) -> None:
        """Append; the oldest beyond SAMPLES_KEPT is forgotten."""

    @abstractmethod
    async def samples(self) -> list[Sample]:
        """All that are kept, the oldest first."""

    async def close(self) -> None:  # noqa: B027 - most have none
        """Let go of connections."""


async def current_status(store: StatusStore, now: float | None = None) -> InferenceStatus:
    """The latest status, or one that says "down" when it is missing or stale."""
    now = time.time() if now is None else now
    status = await store.latest()
    if status is None or now - status.at > STALE_AFTER_S:
        return InferenceStatus(at=now, state="down", detail="The inference process does not answer.")
    return status


class MemoryStatusStore(StatusStore):
    """In memory, for the embedded mode, where web and inference share a process."""

    def __init__(self) -> None:
        self._status: InferenceStatus | None = None
        self._samples: deque[Sample] = deque(maxlen=SAMPLES_KEPT)

    async def publish(self, status: InferenceStatus) -> None:
        self._status = status

    async def latest(self) -> InferenceStatus | None:
        return self._status

    async def record(self, sample: Sample) -> None:
        self._samples.append(sample)

    async def samples(self) -> list[Sample]:
        return list(self._samples)


class RedisStatusStore(StatusStore):
    """In Redis: one key for the status and a list for the samples, each with an expiry."""

    KEY = "chatsite:board"
    EXPIRY_S = 60
    SAMPLES_KEY = "chatsite:board:samples"
    SAMPLES_EXPIRY_S = round(SAMPLE_S * SAMPLES_KEPT)

    def __init__(self, client: Redis) -> None:
        self._client: Any = client

    async def publish(self, status: InferenceStatus) -> None:
        await self._client.set(self.KEY, msgspec.msgpack.encode(status), ex=self.EXPIRY_S)

    async def latest(self) -> InferenceStatus | None:
        raw = await self._client.get(self.KEY)
        return None if raw is None else msgspec.msgpack.decode(raw, type=InferenceStatus)

    async def record(self, sample: Sample) -> None:
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.rpush(self.SAMPLES_KEY, msgspec.msgpack.encode(sample))
            pipe.ltrim(self.SAMPLES_KEY, -SAMPLES_KEPT, -1)
            pipe.expire(self.SAMPLES_KEY, self.SAMPLES_EXPIRY_S)
            await pipe.execute()

    async def samples(self) -> list[Sample]:
        raw = await self._client.lrange(self.SAMPLES_KEY, 0, -1)
        return [msgspec.msgpack.decode(one, type=Sample) for one in raw]

    async def close(self) -> None:
        await self._client.aclose()
