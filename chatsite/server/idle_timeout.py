"""A timeout on each of many awaits with one timer; `asyncio.timeout` costs as much as sending a token."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class IdleTimeout:
    """Limits each of many awaits, one at a time, to `limit_s`. One timer serves all; `close()` ends it."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None
        self._waiting: asyncio.Task[object] | None = None
        self._expired = False
        self._timer = self._loop.call_later(limit_s, self._check)

    async def wait(self, awaited: Awaitable[T]) -> T:
        """Await and return the result. Raises TimeoutError after the limit; the awaited is cancelled then."""
        self._waiting, self._since = asyncio.current_task(), self._loop.time()
        try:
            return await awaited
        except asyncio.CancelledError:
            if self._expired and self._waiting is not None and self._waiting.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            self._waiting = self._since = None

    def close(self) -> None:
        self._timer.cancel()

    def _check(self) -> None:
        now = self._loop.time()
        since = now if self._since is None else self._since
        if self._waiting is not None and now - since >= self._limit_s:
            self._expired = True
            self._waiting.cancel()
        else:
            self._timer = self._loop.call_at(since + self._limit_s, self._check)
