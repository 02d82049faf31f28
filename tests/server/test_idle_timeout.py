"""Waiting for the next of many things: each has the whole limit, and a cancellation stays one."""

import asyncio

import pytest

from chatsite.server.idle_timeout import IdleTimeout

LIMIT_S = 0.5


async def test_each_wait_has_the_whole_limit():
    idle = IdleTimeout(LIMIT_S)
    try:
        for number in range(5):
            assert await idle.wait(asyncio.sleep(0.6 * LIMIT_S, number)) == number
    finally:
        idle.close()


async def test_a_silence_is_a_timeout_and_not_a_cancellation():
    idle = IdleTimeout(LIMIT_S)
    silence = asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError):
        await idle.wait(silence)
    assert silence.cancelled()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    idle.close()


async def test_time_between_two_waits_does_not_count():
    idle = IdleTimeout(LIMIT_S)
    await asyncio.sleep(3 * LIMIT_S)
    assert await idle.wait(asyncio.sleep(0, "in time")) == "in time"
    idle.close()


async def test_a_cancellation_from_outside_stays_one():
    async def wait() -> None:
        idle = IdleTimeout(10.0)
        try:
            await idle.wait(asyncio.Event().wait())
        finally:
            idle.close()

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_different_tasks_may_wait_in_turn():
    idle = IdleTimeout(LIMIT_S)
    assert await asyncio.create_task(idle.wait(asyncio.sleep(0, 1))) == 1
    with pytest.raises(TimeoutError):
        await asyncio.create_task(idle.wait(asyncio.Event().wait()))
    idle.close()
