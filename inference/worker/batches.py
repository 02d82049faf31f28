"""Submits waiting batch items as the queue has room. In the inference process, since there is only one."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

import structlog

from chatsite.batches.submission import due_items, submit_item
from chatsite.conversations.change_events import notify_changed
from chatsite.database import read, write
from inference.status import InferenceStatus

log = structlog.get_logger(__name__)

HELD_S = 10.0
"""How soon a user whose budget is spent, or whose queue is full, is tried again."""


class BatchPump:
    """Polls for waiting items. Safe to call at any time; what a crash leaves in between is found again."""

    def __init__(
        self, status: Callable[[], InferenceStatus], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._status = status
        self._clock = clock
        self._held: dict[int, float] = {}

    async def poll(self) -> bool:
        """Submit what has room, one short transaction each; returns whether anything was."""
        now, changed, submitted = self._clock(), dict[UUID, int](), False
        self._held = {user: until for user, until in self._held.items() if until > now}
        for due in await read(due_items, set(self._held)):
            if due.user in self._held:  # since an item before this one
                continue
            status = self._status()
            context = status.info.context_tokens if status.info else 0
            model = status.info.model if status.info else ""
            try:
                outcome = await write(submit_item, due, context, status.retry_after_s, model)
            except Exception:  # whatever is wrong with this item keeps no other one from the queue
                log.exception("item_not_submitted", item=str(due.id))
                outcome = "held"
            if outcome == "held":
                self._held[due.user] = now + HELD_S
            submitted |= outcome == "submitted"
            changed[due.conversation] = due.user
        for conversation, user in changed.items():
            await notify_changed(user, [conversation])
        return submitted
