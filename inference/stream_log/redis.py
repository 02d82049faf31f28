"""The stream log between processes: one Redis stream per generation, one publication per engine step.

A process has one subscription, which feeds all its followers; what a follower missed it reads from the
stream. Publications may be lost at any time (Redis restarts, a slow subscriber is cut off): after each
new subscription every follower reads its stream again, and a jump in seq sends it there too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from inference.backoff import Backoff
from inference.stream_log.base import (
    Delta,
    Event,
    FencedError,
    Finished,
    GapError,
    Queued,
    Snapshot,
    Started,
    StreamLog,
    StreamStatus,
)
from inference.stream_log.memory import EXPIRY_S, MAX_ENTRIES
from inference.stream_log.redis_scripts import APPEND_SCRIPT, STATUS_SCRIPT

log = logging.getLogger(__name__)

T = TypeVar("T")

LIFETIME_S = 7200
"""Lifetime of a stream whose end was never written: beyond the longest deadline of a request."""

ANSWER_TIMEOUT_S = 2.0
"""Timeout of a call: a Redis that takes longer counts as unreachable."""

MAX_PENDING = 256
"""Publications that are buffered for a slow follower; beyond, it reads its stream instead."""

DELTA, SNAPSHOT, FINISHED, STATUS = range(4)
"""Kinds of entries; also the field name in the stream, so that the end is seen without decoding."""

_KINDS: dict[type, int] = {
    Delta: DELTA,
    Snapshot: SNAPSHOT,
    Finished: FINISHED,
    Queued: STATUS,
    Started: STATUS,
}

_encode = msgspec.json.Encoder().encode
_decode: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Delta | Snapshot | Finished | Queued | Started)
_decode_step = msgspec.msgpack.Decoder(list[tuple[str, int, int, str]])


def _step(items: Iterable[tuple[str, Event | StreamStatus]]) -> bytes:
    """Payloads are JSON text: Redis' own MessagePack reads no binary strings, and operators can read it."""
    return msgspec.msgpack.encode(
        [
            (generation, getattr(item, "seq", 0), _KINDS[type(item)], _encode(item).decode())
            for generation, item in items
        ]
    )


class RedisFollower:
    """What was published for one reader since its last fetch.

    `stale`: it must read the stream itself. `resubscribed`: the subscription was renewed meanwhile, so a
    stream that is not there may have been written, ended and lost in between.
    """

    __slots__ = ("pending", "resubscribed", "stale", "wake")

    def __init__(self) -> None:
        self.pending: list[Event | StreamStatus] = []
        self.stale = True
        self.resubscribed = False
        self.wake = asyncio.Event()

    def on_resubscribe(self) -> None:
        """Publications may have been lost: read the stream itself."""
        self.resubscribed = self.resubscribed or not self.stale
        self.refetch()

    def push(self, item: Event | StreamStatus) -> None:
        if self.stale:
            return
        self.pending.append(item)
        if len(self.pending) > MAX_PENDING:
            self.refetch()
        self.wake.set()

    def refetch(self) -> None:
        """Drop what was published: read the stream itself."""
        self.pending.clear()
        self.stale = True
        self.wake.set()

    def take(self) -> list[Event | StreamStatus]:
        pending, self.pending = self.pending, []
        return pending


class RedisStreamLog(StreamLog):
    """The stream log in Redis. `prefix` separates sites that share a server."""

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
        # A subscriber only listens: the system has to notice a peer that is gone. A Unix socket's peer is on
        # this machine, and its connections refuse the option.
        keepalive = {} if url.startswith("unix:") else {"socket_keepalive": True}
        self._subscriber: Any = Redis.from_url(url, retry=Retry(NoBackoff(), 0), **keepalive)
        self._append = self.client.register_script(APPEND_SCRIPT)
        self._set_status = self.client.register_script(STATUS_SCRIPT)
        self._followers: dict[str, list[RedisFollower]] = {}
        self._subscribed = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None
        self._calls: set[asyncio.Future[None]] = set()
        self._closed = False

    def followers(self, generation: str) -> list[RedisFollower]:
        """The readers that follow a stream in this process."""
        return self._followers.get(generation, [])

    @property
    def streams(self) -> int:
        """Streams followed in this process: a figure for metrics and leak tests."""
        return len(self._followers)

    def stream_key(self, generation: str) -> str:
        return f"{self._prefix}:stream:{generation}"

    async def append(self, events: Sequence[tuple[str, Event]], *, epoch: int) -> Sequence[str]:
        """As in the port; while Redis is away everything counts as lost, since nobody knows what it took."""
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
            lost = await _redis_result(self._append(keys=[f"{self._prefix}:epoch"], args=args))
        except RedisError as error:
            if isinstance(error, ResponseError) and "FENCED" in str(error):
                raise FencedError(str(error)) from None
            log.warning("The stream log is away: %s", error)
            return list(dict.fromkeys(generation for generation, _ in events))
        return [generation.decode() for generation in dict.fromkeys(lost)]

    async def epoch(self) -> int:
        return int(await _redis_result(self.client.get(f"{self._prefix}:epoch")) or 0)

    async def publish_status(self, statuses: Mapping[str, StreamStatus]) -> None:
        with suppress(RedisError):
            await _redis_result(
                self._set_status(args=[self._prefix, self._channel, LIFETIME_S, _step(statuses.items())])
            )

    async def read(self, generation: str, after: int) -> list[Event]:
        """As in the port; while Redis is away that is a gap: the recorded text is what there is."""
        try:
            return (await self._read_stream(generation, after))[0]
        except RedisError as error:
            raise GapError(f"the stream log is away: {error}") from None

    async def follow(self, generation: str, after: int) -> AsyncGenerator[list[Event | StreamStatus], None]:
        follower = RedisFollower()
        self._followers.setdefault(generation, []).append(follower)
        self._listen()
        ended = False
        try:
            while not ended and not self._closed:
                follower.wake.clear()
                if follower.stale:
                    items, ended = await self._fetch_stream(follower, generation, after)
                else:
                    items = follower.take()
                batch, after, gap = _contiguous(items, after)
                if gap:
                    follower.refetch()
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
        if self._calls:
            await asyncio.wait(self._calls, timeout=ANSWER_TIMEOUT_S)
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait([self._listener])
        await self.client.aclose()
        await self._subscriber.aclose()

    @contextmanager
    def _call(self) -> Iterator[None]:
        """`close` waits for what runs within: redis-py (8.1) leaves half-made connections behind."""
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._calls.add(ended)
        try:
            yield
        finally:
            self._calls.remove(ended)
            ended.set_result(None)

    async def _fetch_stream(
        self, follower: RedisFollower, generation: str, after: int
    ) -> tuple[list[Event | StreamStatus], bool]:
        """Read what the stream holds, and whether it has ended. Waits for Redis as long as it takes."""
        backoff = Backoff()
        while True:
            await self._subscribed.wait()
            if self._closed:
                return [], True
            follower.stale = False
            try:
                with self._call():
                    events, status, ended = await self._read_stream(
                        generation, after, resubscribed=follower.resubscribed
                    )
            except RedisError:
                follower.refetch()
                await backoff.sleep()
                continue
            return [*([status] if status else []), *events], ended

    async def _read_stream(
        self, generation: str, after: int, *, resubscribed: bool = False
    ) -> tuple[list[Event], StreamStatus | None, bool]:
        """Events after the cursor, the latest status, and whether the stream has ended. Raises GapError."""
        key = self.stream_key(generation)
        async with self.client.pipeline(transaction=False) as pipe:
            pipe.xrange(key, min=f"{after + 1}-0")
            pipe.xrevrange(key, count=1)
            pipe.get(f"{self._prefix}:notice:{generation}")
            entries, tail, status = await _redis_result(pipe.execute())
        if not tail and (after > 0 or resubscribed):
            raise GapError(f"nothing is held of {generation}, the cursor is at {after}")
        events: list[Event] = [
            _decode.decode(payload) for _, fields in entries for payload in fields.values()
        ]
        if events and events[0].seq != after + 1 and not isinstance(events[0], Snapshot):
            raise GapError(f"the log of {generation} goes on at {events[0].seq}, the cursor is at {after}")
        ended = bool(tail) and str(FINISHED).encode() in tail[0][1]
        return events, _decode.decode(status) if status else None, ended

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = asyncio.create_task(self._run(), name="stream-log-listener")

    async def _run(self) -> None:
        """Keep one subscription for the whole process, renewed for ever."""
        backoff = Backoff()
        while True:
            try:
                async with self._subscriber.pubsub() as subscription:
                    with self._call():
                        await subscription.subscribe(self._channel)
                    async for message in subscription.listen():
                        _stay_cancelled()
                        if message["type"] == "subscribe":
                            self._on_subscribed()
                            backoff.reset()
                        elif message["type"] == "message":
                            self._deliver(message["data"])
            except (RedisError, OSError) as error:
                log.warning("The subscription to the stream log broke: %s", error)
            _stay_cancelled()
            self._subscribed.clear()
            await backoff.sleep()

    def _on_subscribed(self) -> None:
        """Publications in between may be lost: every follower reads its stream."""
        self._subscribed.set()
        for followers in self._followers.values():
            for follower in followers:
                follower.on_resubscribe()

    def _deliver(self, step: bytes) -> None:
        for generation, _, _, payload in _decode_step.decode(step):
            followers = self._followers.get(generation)
            if followers:
                item = _decode.decode(payload)
                for follower in followers:
                    follower.push(item)


async def _redis_result(call: Awaitable[T]) -> T:
    """Await Redis, and stay cancelled even where the client swallowed it."""
    try:
        return await call
    finally:
        _stay_cancelled()


def _stay_cancelled() -> None:
    """Raise CancelledError if this task was told to end.

    A cancellation that meets a breaking connection inside redis-py (8.1) comes out as that connection's
    error, one that meets an answer inside its `asyncio.wait_for` (Python 3.11) not at all; whoever retries
    or listens for ever would then never end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _contiguous(
    items: Iterable[Event | StreamStatus], after: int
) -> tuple[list[Event | StreamStatus], int, bool]:
    """The items that follow the cursor without a gap, the new cursor, and whether there is a gap."""
    batch: list[Event | StreamStatus] = []
    for item in items:
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
