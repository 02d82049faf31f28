"""Tells a person's open pages that a conversation changed elsewhere. A hint: losing it loses nothing."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from chatsite.accounts.socket_events import user_group

log = structlog.get_logger(__name__)


async def notify_changed(user_id: int, conversations: Iterable[UUID], by: str = "") -> None:
    """`by` is the socket that changed it and knows already. Never raises."""
    try:
        for id in conversations:
            event = {"type": "conversation.changed", "conversation": str(id), "by": by}
            await get_channel_layer().group_send(user_group(user_id), event)
    except Exception as error:
        log.warning("pages_not_told", user=user_id, error=repr(error))


def notify_changed_from_thread(user_id: int, conversations: Iterable[UUID]) -> None:
    """The same from sync code, after its transaction."""
    async_to_sync(notify_changed)(user_id, list(conversations))
