"""Which adapters this process uses: Redis where REDIS_URL is set, else its own memory.

One instance per process. In the embedded mode web and inference share a process, so they share these.
"""

from __future__ import annotations

from functools import cache

from django.conf import settings

from chatsite.streaming.presence import MemoryPresence, Presence, RedisPresence
from inference.board import Board, BoardStore, MemoryBoard, RedisBoard, Sample, current
from inference.stream_log.base import StreamLog
from inference.stream_log.memory import MemoryStreamLog


@cache
def stream_log() -> StreamLog:
    """The stream log that this process reads, and writes if it owns the queue."""
    if not settings.REDIS_URL:
        return MemoryStreamLog()
    from inference.stream_log.redis import RedisStreamLog

    return RedisStreamLog(settings.REDIS_URL)


@cache
def board_store() -> BoardStore:
    """Where the inference process publishes its board."""
    if not settings.REDIS_URL:
        return MemoryBoard()
    from redis.asyncio import Redis

    return RedisBoard(Redis.from_url(settings.REDIS_URL))


async def board_now() -> tuple[Board, list[Sample]]:
    """Board and samples, over an own connection: for views in threads, whose loop may be a passing one."""
    if not settings.REDIS_URL:
        return await current(board_store()), await board_store().samples()
    from redis.asyncio import Redis

    store = RedisBoard(Redis.from_url(settings.REDIS_URL))
    try:
        return await current(store), await store.samples()
    finally:
        await store.close()


@cache
def presence() -> Presence:
    """Where open sockets are counted by person."""
    if not settings.REDIS_URL:
        return MemoryPresence()
    from redis.asyncio import Redis

    return RedisPresence(Redis.from_url(settings.REDIS_URL))
