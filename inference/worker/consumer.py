"""The background consumer: what the doorbell rings. It only wakes intake; the rows say what to do."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import structlog
from channels.consumer import AsyncConsumer
from channels.layers import get_channel_layer

from chatsite.generations.doorbell import CHANNEL

log = structlog.get_logger(__name__)

RETRY_S = 1.0
"""Pause after the channel layer failed; meanwhile the sweep finds what was not heard."""


class InferenceConsumer(AsyncConsumer):
    """Hosted by `listen`. `scope["wake"]` is the event that intake waits for."""

    async def generation_queued(self, event: dict[str, Any]) -> None:
        self.scope["wake"].set()

    async def generation_cancelled(self, event: dict[str, Any]) -> None:
        self.scope["wake"].set()


async def listen(wake: asyncio.Event) -> None:
    """Answer the doorbell for ever. A channel layer that fails is tried again."""
    consumer = InferenceConsumer.as_asgi()
    scope = {"type": "channel", "channel": CHANNEL, "wake": wake}
    while True:
        try:
            await consumer(scope, partial(get_channel_layer().receive, CHANNEL), _nowhere)
        except Exception as error:
            log.warning("doorbell_down", error=repr(error))
            await asyncio.sleep(RETRY_S)


async def _nowhere(message: dict[str, Any]) -> None:
    """This consumer has nobody to answer."""
