"""The doorbell: tells the inference process to look at the rows. Losing a ring loses nothing but a moment."""

from __future__ import annotations

from uuid import UUID

import structlog
from channels.layers import get_channel_layer

CHANNEL = "inference"
"""The channel that the inference process listens on."""

log = structlog.get_logger(__name__)


async def ring(kind: str, generation: UUID) -> None:
    """Ring after the commit. `kind`: queued | cancelled. Never raises: the sweep finds what was not heard."""
    try:
        await get_channel_layer().send(CHANNEL, {"type": f"generation.{kind}", "id": str(generation)})
    except Exception as error:
        log.warning("doorbell_unheard", generation=str(generation), error=repr(error))
