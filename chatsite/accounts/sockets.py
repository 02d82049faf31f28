"""Messages to all open sockets of one person: hints, on the channel layer. Losing one loses nothing."""

from __future__ import annotations

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

log = structlog.get_logger(__name__)


def group_of(user_id: int) -> str:
    """The channel group of one person's open sockets."""
    return f"user.{user_id}"


async def tell(user_id: int, kind: str) -> None:
    """Send an event to this person's sockets. Never raises.

    `kind`: account.closed | sessions.ended | quota.changed.
    """
    try:
        await get_channel_layer().group_send(group_of(user_id), {"type": kind})
    except Exception as error:
        log.warning("sockets_not_told", user=user_id, kind=kind, error=repr(error))


def tell_from_thread(user_id: int, kind: str) -> None:
    """The same from sync code, after its transaction."""
    async_to_sync(tell)(user_id, kind)
