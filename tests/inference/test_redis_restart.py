"""A Redis of our own is killed in the middle of answers: readers in another connection miss nothing."""

import asyncio

import pytest
from redis.exceptions import ConnectionError

from inference.dispatch.supervisor import SupervisorSettings
from inference.stream_log.base import Delta
from inference.stream_log.redis import RedisFollower, RedisStreamLog
from tests.inference.doubles import Reader, Stage
from tests.support.redis_server import Server
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.redis


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.mark.redis_server
async def test_a_restart_of_redis_loses_and_doubles_nothing(server):
    writer, reading = RedisStreamLog(server.url), RedisStreamLog(server.url)
    # A busy machine that holds up the loop is no hung engine.
    async with Stage(log=writer, supervision=SupervisorSettings(hung_after_s=PATIENCE_S)) as stage:
        readers = []
        for n in range(10):
            stage.ask(f"g{n}", tokens=100_000, user=f"user {n}")
            readers.append(Reader(reading, stage.rows, f"g{n}"))
        tasks = [asyncio.create_task(reader.run()) for reader in readers]
        await stage.until(lambda: all(reader.seq > 5 for reader in readers))
        server.kill()
        await asyncio.sleep(0.3)
        server.start()
        seen = [reader.seq for reader in readers]
        await stage.until(lambda: all(reader.seq > seq for reader, seq in zip(readers, seen, strict=True)))
        for n in range(10):
            stage.lifecycle.cancel(f"g{n}")
        await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_S)
        for n, reader in enumerate(readers):
            assert reader.text == stage.rows.rows[f"g{n}"].text
            assert stage.transcript[f"g{n}"].startswith(reader.text)
    await reading.close()
    await writer.close()


@pytest.mark.parametrize("outcome", [[], ConnectionError("the connection broke")])
async def test_a_cancellation_that_the_client_swallows_still_ends_the_writer(redis_url, monkeypatch, outcome):
    """redis-py answers a cancellation in a breaking connection with an error, or goes on."""
    log = RedisStreamLog(redis_url)
    begun = asyncio.Event()

    async def swallow(**_):
        begun.set()
        try:
            await asyncio.sleep(2 * PATIENCE_S)
        except asyncio.CancelledError:
            if isinstance(outcome, Exception):
                raise outcome from None
            return outcome

    monkeypatch.setattr(log, "_append", swallow)
    writing = asyncio.create_task(log.append([("g", Delta(seq=1, text="a"))], epoch=1))
    await begun.wait()
    writing.cancel()
    await asyncio.wait([writing], timeout=PATIENCE_S)
    assert writing.cancelled()
    await log.close()


def test_a_second_subscription_before_the_fetch_keeps_the_doubt_of_the_first() -> None:
    follower = RedisFollower()
    follower.stale = False
    follower.on_resubscribe()
    follower.on_resubscribe()
    assert follower.resubscribed, "the stream may have ended and been lost before the first"
