"""Notify all open sockets of one user over the channel layer. Only hints: losing one loses nothing."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

log = structlog.get_logger(__name__)


NOTIFY_S = 2.0
"""A Redis that is away holds up no request for longer."""


def user_group(user_id: int) -> str:
    """The channel group of one user's open sockets."""
    return f"user.{user_id}"


async def notify_user(user_id: int, kind: str) -> None:
    """Send an event to this user's sockets. Never raises.

    `kind`: account.closed | sessions.ended | quota.changed.
    """
    try:
        async with asyncio.timeout(NOTIFY_S):
            await get_channel_layer().group_send(user_group(user_id), {"type": kind})
    except Exception as error:
        log.warning("sockets_not_told", user=user_id, kind=kind, error=repr(error))


def notify_user_sync(user_id: int, kind: str) -> None:
    """`notify_user` for sync code; call it after the transaction."""
    async_to_sync(notify_user)(user_id, kind)


def tell_after_commit(user_id: int) -> None:
    """Some sessions of this user have ended: their sockets close once that is committed."""
    transaction.on_commit(partial(notify_user_sync, user_id, "sessions.ended"), robust=True)


def session_deleted(instance: Session, **_: Any) -> None:
    """Receiver of `post_delete`: signed out here, in another tab, from the list, or by a new sign-in."""
    if instance.expire_date <= timezone.now():
        return  # erased long after its end
    user_id = str(instance.get_decoded().get(SESSION_KEY, ""))
    if user_id.isdigit():
        tell_after_commit(int(user_id))
