"""What the stream log owes its client of Redis."""

from __future__ import annotations

import asyncio
import time
import uuid

import pytest

from inference.stream_log.base import Event, StreamStatus
from inference.stream_log.redis import RedisStreamLog
from tests.support.services import REDIS_URL
from tests.support.waiting import PATIENCE_S


async def batches_of(logs: RedisStreamLog) -> list[list[Event | StreamStatus]]:
    return [batch async for batch in logs.follow("a", 0)]


@pytest.mark.redis
async def test_closing_wakes_a_reader_however_far_its_subscription_came() -> None:
    """A cancellation that meets an answer may be lost inside the client: what listens ends all the same."""
    for turns in range(60):
        logs = RedisStreamLog(REDIS_URL, prefix=f"test-{uuid.uuid4().hex}")
        reader = asyncio.create_task(batches_of(logs))
        for _ in range(turns):
            time.sleep(0.0005)  # noqa: ASYNC251 - the answer is there when the loop turns next
            await asyncio.sleep(0)
        await asyncio.wait_for(logs.close(), PATIENCE_S)
        assert await asyncio.wait_for(reader, PATIENCE_S) == []
