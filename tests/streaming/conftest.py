"""Every test has an event loop of its own; clients that belong to a loop must not outlive it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from channels.layers import channel_layers

from chatsite.wiring import board_store, stream_log


@pytest.fixture(autouse=True)
async def clients_of_this_loop() -> AsyncIterator[None]:
    yield
    if stream_log.cache_info().currsize:
        await stream_log().close()
    stream_log.cache_clear()
    board_store.cache_clear()
    channel_layers.backends.clear()
