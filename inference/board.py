"""The board: one small picture of the inference process, replaced every second, read by the web tier.

It answers "is the engine up, what is it, who waits": for /readyz, the page's status line and the
console. It is a hint and carries its own age; the rows stay the truth.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Any, Literal

import msgspec
from redis.asyncio import Redis

from inference.engines.base import EngineInfo, EngineStats

EngineState = Literal["starting", "ready", "restarting", "failed", "paused", "draining", "down"]


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """`at` is wall-clock seconds; `progress` 0..1 while starting, where known.

    `retry_after_s` is None while newcomers are taken; else they are refused, and may try again then.
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


STALE_AFTER_S = 5.0
"""Five missed publications: the inference process is gone or frozen."""


class BoardStore(ABC):
    """Where the latest board lies: this process's memory, or Redis."""

    @abstractmethod
    async def publish(self, board: Board) -> None: ...

    @abstractmethod
    async def latest(self) -> Board | None:
        """The last board published, however old; None if there never was one."""

    async def close(self) -> None:  # noqa: B027 - most have none
        """Let go of connections."""


async def current(store: BoardStore, now: float | None = None) -> Board:
    """The latest board, or one that says "down" when it is missing or stale."""
    now = time.time() if now is None else now
    board = await store.latest()
    if board is None or now - board.at > STALE_AFTER_S:
        return Board(at=now, state="down", detail="The inference process does not answer.")
    return board


class MemoryBoard(BoardStore):
    """The board of the embedded mode, where web and inference share a process."""

    def __init__(self) -> None:
        self._board: Board | None = None

    async def publish(self, board: Board) -> None:
        self._board = board

    async def latest(self) -> Board | None:
        return self._board


class RedisBoard(BoardStore):
    """One key with an expiry."""

    KEY = "chatsite:board"
    EXPIRY_S = 60

    def __init__(self, client: Redis) -> None:
        self._client: Any = client

    async def publish(self, board: Board) -> None:
        await self._client.set(self.KEY, msgspec.msgpack.encode(board), ex=self.EXPIRY_S)

    async def latest(self) -> Board | None:
        raw = await self._client.get(self.KEY)
        return None if raw is None else msgspec.msgpack.decode(raw, type=Board)

    async def close(self) -> None:
        await self._client.aclose()
