"""The background consumer of wakeups. It only wakes intake; the rows say what to do."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import structlog
from channels.consumer import AsyncConsumer
from channels.layers import get_channel_layer

from chatsite.generations.wakeup import CHANNEL

log = structlog.get_logger(__name__)

RETRY_S = 1.0
"""Pause after the channel layer failed; meanwhile intake's poll finds what it missed."""


class InferenceConsumer(AsyncConsumer):
    """Hosted by `listen`. `scope["wake"]` is the event that intake waits for."""

    async def generation_queued(self, event: dict[str, Any]) -> None:
        self.scope["wake"].set()

    async def generation_cancelled(self, event: dict[str, Any]) -> None:
        self.scope["wake"].set()


async def listen(wake: asyncio.Event) -> None:
    """Receive wakeups until cancelled. A channel layer that fails is tried again."""
    consumer = InferenceConsumer.as_asgi()
    scope = {"type": "channel", "channel": CHANNEL, "wake": wake}
    while True:
        try:
            await consumer(scope, partial(get_channel_layer().receive, CHANNEL), _no_reply)
        except Exception as error:
            log.warning("wakeups_down", error=repr(error))
            await asyncio.sleep(RETRY_S)


async def _no_reply(message: dict[str, Any]) -> None:
    """Nobody waits for a reply of this consumer."""
