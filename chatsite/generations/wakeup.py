"""Wakes the inference worker, which then reads the rows. A wakeup that is lost costs a moment and no more."""

from __future__ import annotations

from uuid import UUID

import structlog
from channels.layers import get_channel_layer

CHANNEL = "inference"
"""The channel that the worker listens on."""

log = structlog.get_logger(__name__)


async def notify_worker(kind: str, generation: UUID) -> None:
    """Send after the commit. `kind`: queued | cancelled. Never raises: intake polls for what it missed."""
    try:
        await get_channel_layer().send(CHANNEL, {"type": f"generation.{kind}", "id": str(generation)})
    except Exception as error:
        log.warning("wakeup_failed", generation=str(generation), error=repr(error))
