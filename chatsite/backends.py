"""The process's backends for stream log, status and presence: Redis with REDIS_URL, else memory.

One instance per process. In the embedded mode web and inference share a process, so they share these.
"""

from __future__ import annotations

from functools import cache

from django.conf import settings

from chatsite.accounts.presence import MemoryPresence, Presence, RedisPresence
from inference.status import (
    InferenceStatus,
    MemoryStatusStore,
    RedisStatusStore,
    Sample,
    StatusStore,
    current_status,
)
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
def status_store() -> StatusStore:
    """Where the inference process publishes its status, and samples of it."""
    if not settings.REDIS_URL:
        return MemoryStatusStore()
    from redis.asyncio import Redis

    return RedisStatusStore(Redis.from_url(settings.REDIS_URL))


async def read_status() -> tuple[InferenceStatus, list[Sample]]:
    """Fetch status and samples over an own connection: for sync views, whose event loop is short-lived."""
    if not settings.REDIS_URL:
        return await current_status(status_store()), await status_store().samples()
    from redis.asyncio import Redis

    store = RedisStatusStore(Redis.from_url(settings.REDIS_URL))
    try:
        return await current_status(store), await store.samples()
    finally:
        await store.close()


@cache
def presence() -> Presence:
    """Where open sockets are counted by person."""
    if not settings.REDIS_URL:
        return MemoryPresence()
    from redis.asyncio import Redis

    return RedisPresence(Redis.from_url(settings.REDIS_URL))
