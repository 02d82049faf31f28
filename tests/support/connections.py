"""Connections of one test's event loop and database, closed when it ends."""

from __future__ import annotations

import asyncio
import gc

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from chatsite.database import close_threads
from tests.support.clients import close_clients
from tests.support.waiting import PATIENCE_S


@pytest.fixture
async def own_connections(transactional_db: None):
    """For views in this process: connections belong to the event loop and the database of one test."""
    yield
    await unread_streams_ended()
    await close_clients()
    close_threads()
    await sync_to_async(connections.close_all)()


async def unread_streams_ended() -> None:
    """Streams that a test left unread hold connections of this loop: they end now, while it lives."""
    gc.collect()
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE_S):
        while left := [task for task in asyncio.all_tasks() if _is_of_a_stream(task)]:
            await asyncio.wait(left)


def _is_of_a_stream(task: asyncio.Task[object]) -> bool:
    return task is not asyncio.current_task() and task.get_name() != "stream-log-listener"
