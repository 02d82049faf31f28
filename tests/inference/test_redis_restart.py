"""A Redis of our own is killed in the middle of answers: readers in another connection miss nothing."""

import asyncio

import pytest
from redis.exceptions import ConnectionError

from inference.stream_log.base import Delta
from inference.stream_log.redis import RedisStreamLog, _Follower
from tests.inference.doubles import Reader, Stage
from tests.redis_server import Server

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
    async with Stage(log=writer) as stage:
        readers = []
        for n in range(10):
            stage.ask(f"g{n}", tokens=1500, user=f"user {n}")
            readers.append(Reader(reading, stage.rows, f"g{n}"))
        tasks = [asyncio.create_task(reader.run()) for reader in readers]
        await stage.until(lambda: all(reader.seq > 5 for reader in readers))
        server.kill()
        await asyncio.sleep(0.3)
        server.start()
        seen = [reader.seq for reader in readers]
        await stage.until(lambda: all(reader.seq > seq for reader, seq in zip(readers, seen, strict=True)))
        for n in range(10):
            stage.dispatcher.cancel(f"g{n}")
        await asyncio.wait_for(asyncio.gather(*tasks), 10)
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
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if isinstance(outcome, Exception):
                raise outcome from None
            return outcome

    monkeypatch.setattr(log, "_append", swallow)
    writing = asyncio.create_task(log.append([("g", Delta(seq=1, text="a"))], epoch=1))
    await begun.wait()
    writing.cancel()
    await asyncio.wait([writing], timeout=5)
    assert writing.cancelled()
    await log.close()


async def test_a_second_renewal_before_the_look_keeps_the_doubt_of_the_first() -> None:
    log, follower = RedisStreamLog("redis://127.0.0.1:1"), _Follower()
    log._followers["g"] = [follower]
    follower.stale = False
    log._renewed()
    log._renewed()
    assert follower.doubtful, "the stream may have ended and been lost before the first"
    await log.close()
