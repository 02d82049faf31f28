"""Every test has an event loop of its own; clients that belong to a loop must not outlive it.

Which of them a test opens depends on what it asks of the site, so no module has to say so: all are
closed after every asynchronous test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from channels.layers import channel_layers

from chatsite.backends import presence, status_store, stream_log
from tests.support.socket import leave_sockets


async def close_clients() -> None:
    """Close what this process opened to Redis in the running loop: the next test opens its own."""
    for opened in (stream_log, status_store, presence):
        if opened.cache_info().currsize:
            await opened().close()
        opened.cache_clear()
    for layer in channel_layers.backends.values():
        if hasattr(layer, "close_pools"):
            await layer.close_pools()
    channel_layers.backends.clear()


@pytest.fixture
async def clients_of_this_loop() -> AsyncIterator[None]:
    yield
    await leave_sockets()
    await close_clients()


@pytest.fixture(autouse=True)
def no_client_outlives_its_loop(request: pytest.FixtureRequest) -> None:
    """Of the test's own loop: what tests share one for is a browser or an engine."""
    marker = request.node.get_closest_marker("asyncio")
    if marker and "loop_scope" not in marker.kwargs:
        request.getfixturevalue("clients_of_this_loop")
