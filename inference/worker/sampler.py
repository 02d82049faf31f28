"""Samples of the last half hour: boards, one a second, folded into one figure of each kind every SAMPLE_S."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from django.utils import timezone
from msgspec.structs import replace

from chatsite.database import read
from chatsite.generations.latency import read_latency
from chatsite.wiring import board_store
from inference.board import SAMPLE_S, Board, Sample

log = structlog.get_logger(__name__)

LOOK_S = 1.0
"""The board changes every second; a burst between two samples is still seen."""


class Fold:
    """Boards since the last sample. Pure."""

    def __init__(self) -> None:
        self._boards: list[Board] = []

    def add(self, board: Board) -> Sample | None:
        """The sample, without latencies, that this board completes."""
        boards = self._boards
        boards.append(board)
        if board.at - boards[0].at < SAMPLE_S - LOOK_S:
            return None
        self._boards = []
        return Sample(
            at=board.at,
            running=max(sum(one.running.values()) for one in boards),
            waiting=max(sum(one.waiting.values()) for one in boards),
            tokens_per_s=sum(one.tokens_per_s for one in boards) / len(boards),
        )


class Sampler:
    """`board` is the dispatcher's picture of now."""

    def __init__(self, board: Callable[[], Board]) -> None:
        self._board = board
        self._fold = Fold()

    async def run(self) -> None:
        """For ever. A sample that cannot be kept leaves a gap."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("sample_failed")
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Take the board as it is now, and record a sample when it is time."""
        sample = self._fold.add(self._board())
        if sample is not None:
            latency = await read(read_latency, timezone.now())
            await board_store().record(replace(sample, ttft_p95_s=latency.p95 if latency else None))
