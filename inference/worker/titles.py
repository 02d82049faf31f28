"""Titles of conversations, generated in spare time: only while nothing waits and half of the engine is free.

So they come after all other work, and the slots that they take are not missed.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from chatsite.conversations.change_events import notify_changed
from chatsite.database import read, write
from chatsite.generations.titles import (
    conversations_wanting_titles,
    do_set_title,
    do_submit_title,
    finished_title_generations,
)
from inference.status import InferenceStatus

BUSY_SHARE = 0.5
"""Part of the engine's slots above which it has no time to spare."""


def has_spare_time(status: InferenceStatus, slots: int) -> bool:
    """Whether background work may start."""
    running = sum(status.running.values())
    return (
        status.state == "ready" and not any(status.waiting.values()) and running < max(1, slots * BUSY_SHARE)
    )


class Titles:
    """Requests and stores titles. `spare`: has the engine time? `wake` wakes intake; `model` names it."""

    def __init__(self, spare: Callable[[], bool], wake: Callable[[], None], model: Callable[[], str]) -> None:
        self._spare = spare
        self._wake = wake
        self._model = model

    async def poll(self) -> None:
        """Give the titles that were made, and ask for those that are wanted.

        One that fails is raised after all others had their turn.
        """
        failures: list[Exception] = []
        for generation in await read(finished_title_generations):
            try:
                await self._give(generation)
            except Exception as failure:
                failures.append(failure)
        for conversation in await read(conversations_wanting_titles) if self._spare() else ():
            try:
                if await write(do_submit_title, conversation, self._model()):
                    self._wake()
            except Exception as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    async def _give(self, generation: UUID) -> None:
        if given := await write(do_set_title, generation):
            owner, conversation = given
            await notify_changed(owner, [conversation])
