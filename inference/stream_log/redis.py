"""The stream log between processes: one Redis stream per generation, one publication per engine step.

A process has one subscription, which feeds all its followers; what a follower missed it reads from the
stream. Publications may be lost at any time (Redis restarts, a slow subscriber is cut off): after each
new subscription every follower looks at its stream again, and a jump in seq sends it there too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from inference.dispatch.backoff import Backoff
from inference.stream_log.base import (
    Delta,
    Event,
    FencedError,
    Finished,
    GapError,
    Notice,
    Queued,
    Snapshot,
    Started,
    StreamLog,
)
from inference.stream_log.memory import EXPIRY_S, MAX_ENTRIES
from inference.stream_log.redis_script import APPEND, DELTA, FINISHED, NOTICE, NOTIFY, SNAPSHOT

log = logging.getLogger(__name__)

T = TypeVar("T")

LIFETIME_S = 7200
"""Of a stream whose end was never written: beyond the longest deadline, so that nothing stays for ever."""

ANSWER_TIMEOUT_S = 2.0
"""A Redis that takes longer for one script is away as far as streaming text is concerned."""

MAX_PENDING = 256
"""Publications that a slow follower may have waiting; beyond, it reads its stream instead."""

_KINDS: dict[type, int] = {
    Delta: DELTA,
    Snapshot: SNAPSHOT,
    Finished: FINISHED,
    Queued: NOTICE,
    Started: NOTICE,
}

_encode = msgspec.json.Encoder().encode
_decode: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Delta | Snapshot | Finished | Queued | Started)
_decode_step = msgspec.msgpack.Decoder(list[tuple[str, int, int, str]])


def _step(items: Iterable[tuple[str, Event | Notice]]) -> bytes:
    """Payloads are JSON text: Redis' own MessagePack reads no binary strings, and operators can read it."""
    return msgspec.msgpack.encode(
        [
            (generation, getattr(item, "seq", 0), _KINDS[type(item)], _encode(item).decode())
            for generation, item in items
        ]
    )


class _Follower:
    """What was published for one reader since it looked.

    `stale`: it must look at the stream itself. `doubtful`: the subscription was renewed under it, so that a
    stream that is not there may have been written, ended and lost in between.
    """

    __slots__ = ("doubtful", "pending", "stale", "wake")

    def __init__(self) -> None:
        self.pending: list[Event | Notice] = []
        self.stale = True
        self.doubtful = False
        self.wake = asyncio.Event()

    def push(self, item: Event | Notice) -> None:
        if self.stale:
            return
        self.pending.append(item)
        if len(self.pending) > MAX_PENDING:
            self.look()
        self.wake.set()

    def look(self) -> None:
        self.pending.clear()
        self.stale = True
        self.wake.set()

    def take(self) -> list[Event | Notice]:
        pending, self.pending = self.pending, []
        return pending


class RedisStreamLog(StreamLog):
    """`prefix` separates sites that share a server. Readers and the writer may be in any processes."""

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "chatsite",
        max_entries: int = MAX_ENTRIES,
        expiry_s: float = EXPIRY_S,
    ) -> None:
        self._prefix = f"{{{prefix}}}"
        self._channel = f"{self._prefix}:steps"
        self._max_entries = max_entries
        self._expiry_s = round(expiry_s)
        self.client: Any = Redis.from_url(
            url,
            socket_timeout=ANSWER_TIMEOUT_S,
            socket_connect_timeout=ANSWER_TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
        )
        self._subscriber: Any = Redis.from_url(url, socket_keepalive=True, retry=Retry(NoBackoff(), 0))
        self._append = self.client.register_script(APPEND)
        self._notify = self.client.register_script(NOTIFY)
        self._followers: dict[str, list[_Follower]] = {}
        self._subscribed = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def streams(self) -> int:
        """Streams followed in this process: a figure for metrics and leak tests."""
        return len(self._followers)

    def stream_key(self, generation: str) -> str:
        return f"{self._prefix}:stream:{generation}"

    async def append(self, events: Sequence[tuple[str, Event]], *, epoch: int) -> Sequence[str]:
        """As promised; while Redis is away everything counts as lost, since nobody knows what it took."""
        args: tuple[str | int | bytes, ...] = (
            epoch,
            self._prefix,
            self._channel,
            self._max_entries,
            LIFETIME_S,
            self._expiry_s,
            _step(events),
        )
        try:
            lost = await _answer(self._append(keys=[f"{self._prefix}:epoch"], args=args))
        except RedisError as error:
            if isinstance(error, ResponseError) and "FENCED" in str(error):
                raise FencedError(str(error)) from None
            log.warning("The stream log is away: %s", error)
            return list(dict.fromkeys(generation for generation, _ in events))
        return [generation.decode() for generation in dict.fromkeys(lost)]

    async def epoch(self) -> int:
        return int(await _answer(self.client.get(f"{self._prefix}:epoch")) or 0)

    async def notify(self, notices: Mapping[str, Notice]) -> None:
        with suppress(RedisError):
            await _answer(
                self._notify(args=[self._prefix, self._channel, LIFETIME_S, _step(notices.items())])
            )

    async def read(self, generation: str, after: int) -> list[Event]:
        """As promised; while Redis is away that is a gap: the recorded text is what there is."""
        try:
            return (await self._held(generation, after))[0]
        except RedisError as error:
            raise GapError(f"the stream log is away: {error}") from None

    async def follow(self, generation: str, after: int) -> AsyncGenerator[list[Event | Notice], None]:
        follower = _Follower()
        self._followers.setdefault(generation, []).append(follower)
        self._listen()
        ended = False
        try:
            while not ended and not self._closed:
                follower.wake.clear()
                if follower.stale:
                    news, ended = await self._look(follower, generation, after)
                else:
                    news = follower.take()
                batch, after, gap = _following(news, after)
                if gap:
                    follower.look()
                if batch:
                    yield batch
                    ended = ended or isinstance(batch[-1], Finished)
                elif not ended and not gap:
                    await follower.wake.wait()
        finally:
            self._followers[generation].remove(follower)
            if not self._followers[generation]:
                del self._followers[generation]

    async def close(self) -> None:
        self._closed = True
        self._subscribed.set()
        for followers in self._followers.values():
            for follower in followers:
                follower.wake.set()
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait([self._listener])
        await self.client.aclose()
        await self._subscriber.aclose()

    async def _look(
        self, follower: _Follower, generation: str, after: int
    ) -> tuple[list[Event | Notice], bool]:
        """What the stream itself holds, and whether it has ended. Waits for Redis as long as it takes."""
        backoff = Backoff()
        while True:
            await self._subscribed.wait()
            if self._closed:
                return [], True
            follower.stale = False
            try:
                events, notice, ended = await self._held(generation, after, doubtful=follower.doubtful)
            except RedisError:
                follower.look()
                await backoff.sleep()
                continue
            return [*([notice] if notice else []), *events], ended

    async def _held(
        self, generation: str, after: int, *, doubtful: bool = False
    ) -> tuple[list[Event], Notice | None, bool]:
        """Events after the cursor, the latest notice, and whether the stream has ended. Raises GapError."""
        key = self.stream_key(generation)
        async with self.client.pipeline(transaction=False) as pipe:
            pipe.xrange(key, min=f"{after + 1}-0")
            pipe.xrevrange(key, count=1)
            pipe.get(f"{self._prefix}:notice:{generation}")
            entries, tail, notice = await _answer(pipe.execute())
        if not tail and (after > 0 or doubtful):
            raise GapError(f"nothing is held of {generation}, the cursor is at {after}")
        events: list[Event] = [
            _decode.decode(payload) for _, fields in entries for payload in fields.values()
        ]
        if events and events[0].seq != after + 1 and not isinstance(events[0], Snapshot):
            raise GapError(f"the log of {generation} goes on at {events[0].seq}, the cursor is at {after}")
        ended = bool(tail) and str(FINISHED).encode() in tail[0][1]
        return events, _decode.decode(notice) if notice else None, ended

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = asyncio.create_task(self._run(), name="stream-log-listener")

    async def _run(self) -> None:
        """One subscription for the whole process, renewed for ever."""
        backoff = Backoff()
        while True:
            try:
                async with self._subscriber.pubsub() as subscription:
                    await subscription.subscribe(self._channel)
                    async for message in subscription.listen():
                        if message["type"] == "subscribe":
                            self._renewed()
                            backoff.reset()
                        elif message["type"] == "message":
                            self._deliver(message["data"])
            except (RedisError, OSError) as error:
                log.warning("The subscription to the stream log broke: %s", error)
            _stay_cancelled()
            self._subscribed.clear()
            await backoff.sleep()

    def _renewed(self) -> None:
        """Whatever was published in between is unknown: everybody looks."""
        self._subscribed.set()
        for followers in self._followers.values():
            for follower in followers:
                follower.doubtful = follower.doubtful or not follower.stale
                follower.look()

    def _deliver(self, step: bytes) -> None:
        for generation, _, _, payload in _decode_step.decode(step):
            followers = self._followers.get(generation)
            if followers:
                item = _decode.decode(payload)
                for follower in followers:
                    follower.push(item)


async def _answer(call: Awaitable[T]) -> T:
    """Wait for Redis, and stay cancelled even where the client swallowed it."""
    try:
        return await call
    finally:
        _stay_cancelled()


def _stay_cancelled() -> None:
    """Raise CancelledError if this task was told to end.

    A cancellation that meets a breaking connection inside redis-py (8.1) comes out as that connection's error
    or not at all; whoever retries for ever would then never end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _following(news: Iterable[Event | Notice], after: int) -> tuple[list[Event | Notice], int, bool]:
    """What of the news follows the cursor, the cursor behind it, and whether something is missing."""
    batch: list[Event | Notice] = []
    for item in news:
        if isinstance(item, Queued | Started):
            batch.append(item)
        elif item.seq <= after:
            continue
        elif item.seq == after + 1 or isinstance(item, Snapshot):
            batch.append(item)
            after = item.seq
        else:
            return batch, after, True
    return batch, after, False
