"""Count of a person's open sockets over all web processes, for the limit on them.

In Redis a sorted set for each person: socket → when it counts as gone. Sockets are renewed while they
live, so that those of a process that died stop counting by themselves.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import structlog

if TYPE_CHECKING:  # two tenths of a second that a site without Redis saves
    from redis.asyncio import Redis

log = structlog.get_logger(__name__)

LEASE_S = 60.0
"""How long sockets of a dead process still count."""

RENEW_S = 20.0
"""Three chances before a lease ends."""

_ENTER = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
if redis.call('ZSCORE', KEYS[1], ARGV[1]) == false and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then
    return 0
end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
redis.call('PEXPIREAT', KEYS[1], math.ceil(ARGV[3] * 1000))
return 1
"""


class Presence(Protocol):
    """Counts sockets by person."""

    async def enter(self, user_id: int, socket: str, most: int) -> bool:
        """Count a socket; False where `most` are open already. Entering again renews its lease."""

    async def leave(self, user_id: int, socket: str) -> None:
        """The socket is closed."""

    async def close(self) -> None:
        """Close connections."""


class MemoryPresence:
    """In memory, for the one process of the embedded mode."""

    def __init__(self) -> None:
        self._sockets: dict[int, set[str]] = {}

    async def enter(self, user_id: int, socket: str, most: int) -> bool:
        mine = self._sockets.setdefault(user_id, set())
        if socket not in mine and len(mine) >= most:
            return False
        mine.add(socket)
        return True

    async def leave(self, user_id: int, socket: str) -> None:
        mine = self._sockets.get(user_id, set())
        mine.discard(socket)
        if not mine:
            self._sockets.pop(user_id, None)

    async def close(self) -> None:
        self._sockets.clear()


class RedisPresence:
    """Shared by all web processes. Their clocks agree to a few seconds, or leases last that much longer.

    While Redis is down no socket is refused: the limit protects memory, and people come first.
    """

    def __init__(self, redis: Redis) -> None:
        from redis.exceptions import RedisError

        self._redis = redis
        self._failures = (RedisError, OSError)
        self._enter = redis.register_script(_ENTER)

    async def enter(self, user_id: int, socket: str, most: int) -> bool:
        now = time.time()
        try:
            return bool(await self._enter(keys=[_key(user_id)], args=[socket, now, now + LEASE_S, most]))
        except self._failures as error:
            log.warning("presence_unknown", error=repr(error))
            return True

    async def leave(self, user_id: int, socket: str) -> None:
        try:
            await self._redis.zrem(_key(user_id), socket)
        except self._failures as error:
            log.warning("presence_unknown", error=repr(error))

    async def close(self) -> None:
        await self._redis.aclose()


def _key(user_id: int) -> str:
    return f"chatsite:sockets:{user_id}"
