"""Who waits until a server has a slot free: the most urgent first, then the first come."""

from __future__ import annotations

import asyncio
import heapq
from typing import NamedTuple

from inference.replicas.server import Server


class Waiting(NamedTuple):
    """One request without a server; `turn` breaks ties, so that nothing behind it is compared."""

    priority: int
    turn: int
    affinity: str
    server: asyncio.Future[Server | None]


class Line:
    """Requests that wait. One whose future is done or cancelled has left."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []
        self._turn = 0

    def join(self, affinity: str, priority: int) -> asyncio.Future[Server | None]:
        """Wait; the future gets the server, or None when there is none any more."""
        self._turn += 1
        server: asyncio.Future[Server | None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, Waiting(priority, self._turn, affinity, server))
        return server

    def first(self) -> Waiting | None:
        """The next to be served; it stays first until its future is done."""
        while self._waiting and self._waiting[0].server.done():
            heapq.heappop(self._waiting)
        return self._waiting[0] if self._waiting else None
