"""Every test has an event loop of its own; clients that belong to a loop must not outlive it."""

from __future__ import annotations

from channels.layers import channel_layers

from chatsite.wiring import board_store, presence, stream_log


async def close_clients() -> None:
    """Close what this process opened to Redis in the running loop: the next test opens its own."""
    for opened in (stream_log, board_store, presence):
        if opened.cache_info().currsize:
            await opened().close()
        opened.cache_clear()
    for layer in channel_layers.backends.values():
        if hasattr(layer, "close_pools"):
            await layer.close_pools()
    channel_layers.backends.clear()
