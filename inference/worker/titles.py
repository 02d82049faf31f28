"""Titles in spare time: asked for only while nobody waits and half of the engine is free.

So they come after all people's work, and the slots that they take are not missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

import structlog

from chatsite.conversations.news import tell_changed
from chatsite.database import read, write
from chatsite.generations.titles import do_ask_title, do_give_title, titles_made, titles_wanted
from inference.board import Board
from inference.dispatch.backoff import Backoff

log = structlog.get_logger(__name__)

LOOK_S = 1.0
"""A title that comes a second later is no later for anybody."""

BUSY_SHARE = 0.5
"""Part of the engine's slots above which it has no time to spare."""


def has_spare_time(board: Board, slots: int) -> bool:
    """Whether work that nobody waits for may start."""
    running = sum(board.running.values())
    return board.state == "ready" and not any(board.waiting.values()) and running < max(1, slots * BUSY_SHARE)


class Titles:
    """`spare`: has the engine time? `wake` makes intake look at the rows. `model` names what answers."""

    def __init__(self, spare: Callable[[], bool], wake: Callable[[], None], model: Callable[[], str]) -> None:
        self._spare = spare
        self._wake = wake
        self._model = model

    async def run(self) -> None:
        """For ever. What fails is tried again, later each time."""
        backoff = Backoff()
        while True:
            try:
                await self.look()
                backoff.reset()
            except Exception:
                log.exception("titles_failed")
                await backoff.sleep()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Give the titles that were made, and ask for those that are wanted.

        One that fails is raised after all others were looked at.
        """
        failures: list[Exception] = []
        for generation in await read(titles_made):
            try:
                await self._give(generation)
            except Exception as failure:
                failures.append(failure)
        for conversation in await read(titles_wanted) if self._spare() else ():
            try:
                if await write(do_ask_title, conversation, self._model()):
                    self._wake()
            except Exception as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    async def _give(self, generation: UUID) -> None:
        if given := await write(do_give_title, generation):
            owner, conversation = given
            await tell_changed(owner, [conversation])
