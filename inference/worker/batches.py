"""Batches in the inference process, which is one: their items enter the line as it has room."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

import structlog

from chatsite.batches.pump import due_items, submit_item
from chatsite.conversations.news import tell_changed
from chatsite.database import read, write
from inference.board import Board

log = structlog.get_logger(__name__)

HELD_S = 10.0
"""How soon somebody whose budget is spent, or whose line is full, is tried again."""


class BatchPump:
    """Looks for waiting items. Safe to call at any time; what a crash leaves in between is found again."""

    def __init__(self, board: Callable[[], Board], clock: Callable[[], float] = time.monotonic) -> None:
        self._board = board
        self._clock = clock
        self._held: dict[int, float] = {}

    async def look(self) -> bool:
        """Submit what has room, one short transaction each; whether anything was."""
        now, changed, submitted = self._clock(), dict[UUID, int](), False
        self._held = {user: until for user, until in self._held.items() if until > now}
        for due in await read(due_items, set(self._held)):
            if due.user in self._held:  # since an item before this one
                continue
            board = self._board()
            context = board.info.context_tokens if board.info else 0
            model = board.info.model if board.info else ""
            try:
                outcome = await write(submit_item, due, context, board.retry_after_s, model)
            except Exception:  # whatever is wrong with this item keeps nobody else's from the line
                log.exception("item_not_submitted", item=str(due.id))
                outcome = "held"
            if outcome == "held":
                self._held[due.user] = now + HELD_S
            submitted |= outcome == "submitted"
            changed[due.conversation] = due.user
        for conversation, user in changed.items():
            await tell_changed(user, [conversation])
        return submitted
