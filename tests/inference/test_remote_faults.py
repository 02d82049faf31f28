"""The remote engine when servers fail, are full, or come back: nobody waits for ever, and no text is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from inference.engines.base import EngineDiedError
from inference.engines.remote import engine as remote
from inference.engines.remote.chat import Chunk
from inference.engines.remote.engine import FAILED_BEFORE_START
from inference.engines.remote.server import Server
from inference.engines.remote.server_metrics import ServerMetrics
from tests.inference.remote_run import RunningEngine
from tests.support.waiting import PATIENCE_S, until


async def test_of_a_server_that_fails_unanswered_requests_move_and_begun_ones_are_dropped(servers) -> None:
    first, second = servers
    first.hold_after = second.hold_after = 1
    async with RunningEngine(first, second) as run:
        for id in ("a", "b"):
            await run.answers.add(id, "hello")
            await run.answers.first_of(id)
        assert (len(first.bodies), len(second.bodies)) == (1, 1)
        first.hold_after = 0
        second.hold_after = None
        await run.answers.add("c", "silent")
        await run.answers.add("d", "goes to the other")
        await until(lambda: len(first.bodies) + len(second.bodies) == 4)
        assert len(first.bodies) == 2
        await first.stop()
        broken, moved = await run.answers.end_of("a"), await run.answers.end_of("c")
        assert (broken.text, broken.finish, broken.error) == ("one", "cancelled", None)
        assert (moved.text, moved.finish) == ("one two three", "stop")
        assert run.answers.death is None
        await run.engine.abort(["b"])


async def test_a_prompt_that_was_computed_and_brought_nothing_moves_too(servers) -> None:
    first, second = servers
    first.words, first.hold_after = ("", "never"), 1
    async with RunningEngine(first, second) as run:
        await run.answers.add("b", "hello")
        await run.answers.first_of("b")
        assert run.engine.stats().running == 1
        await first.stop()
        moved = await run.answers.end_of("b")
    assert (moved.text, moved.tokens, moved.finish) == ("one two three", 3, "stop")


async def test_a_server_is_never_given_more_than_its_slots(servers) -> None:
    first, second = servers
    first.hold_after = second.hold_after = 0
    async with RunningEngine(first, second, slots=2) as run:
        for n in range(4):
            await run.answers.add(f"a{n}", "hello", priority=n)
        await until(lambda: (len(first.bodies), len(second.bodies)) == (2, 2))
        await first.stop()
        await until(lambda: run.engine.pool.waiting_for_slot == 2)
        for priority, id in ((9, "later"), (-9, "sooner")):
            await run.answers.add(id, id, priority=priority)
        await asyncio.sleep(0.1)
        assert len(second.bodies) == 2, "the dead server's requests wait for a slot"
        assert run.engine.stats().waiting == 6
        second.hold_after = None
        await run.engine.abort(["later"])
        held = [id for id in ("a0", "a1", "a2", "a3") if run.engine.server_of(id) is not None]
        await run.engine.abort(held[:1])
        await until(lambda: len(second.bodies) > 2)
        assert second.bodies[2]["messages"][0]["content"] == "sooner"
        await run.engine.abort(held[1:])
        for id in ("sooner", *({"a0", "a1", "a2", "a3"} - set(held))):
            assert (await run.answers.end_of(id)).finish == "stop"
        await until(lambda: run.engine.pool.loads == {first.url: 0, second.url: 0})


async def test_those_who_wait_for_a_slot_get_the_server_that_comes_back(servers) -> None:
    first, second = servers
    second.hold_after = 0
    async with RunningEngine(first, second, slots=1) as run:
        await first.stop()
        await until(lambda: len(run.engine.pool.alive) == 1)
        await run.answers.add("held", "hello")
        await run.answers.add("waits", "hello")
        await until(lambda: second.bodies)
        await first.start()
        assert (await run.answers.end_of("waits")).finish == "stop"
        assert len(first.bodies) == 1
        await run.engine.abort(["held"])


async def test_a_server_that_comes_back_is_used_again(servers) -> None:
    first, second = servers
    async with RunningEngine(first, second) as run:
        await first.stop()
        for n in range(3):
            assert (await run.answers.ask(f"a{n}", "hello")).finish == "stop"
        assert not first.bodies
        await first.start()
        n = 0
        async with asyncio.timeout(PATIENCE_S):
            while not first.bodies:
                n += 1
                assert (await run.answers.ask(f"b{n}", "hello")).finish == "stop"


async def test_the_engine_dies_with_its_last_server_and_judges_no_request(servers) -> None:
    servers[0].hold_after = 1
    async with RunningEngine(servers[0]) as run:
        await run.answers.add("a", "hello")
        answer = await run.answers.first_of("a")
        await servers[0].stop()
        await run.answers.ended()
        assert isinstance(run.answers.death, EngineDiedError)
        assert "http" not in str(run.answers.death)
        assert answer.finish is None
        with pytest.raises(EngineDiedError):
            await run.answers.add("b", "hello")


async def test_an_idle_engine_notices_that_its_last_server_is_gone(servers) -> None:
    async with RunningEngine(servers[0]) as run:
        await servers[0].stop()
        await run.answers.ended()
        assert isinstance(run.answers.death, EngineDiedError)


async def test_a_server_that_is_full_for_a_moment_is_asked_again(servers, monkeypatch) -> None:
    monkeypatch.setattr(remote, "RETRY_PAUSE_S", 0.2)
    servers[0].refusal = (503, "too many requests for now")
    async with RunningEngine(servers[0]) as run:
        await run.answers.add("a", "hello")
        await until(lambda: servers[0].bodies)
        servers[0].refusal = None
        assert (await run.answers.end_of("a")).finish == "stop"
        assert len(servers[0].bodies) == 2


async def test_a_failing_server_that_is_well_fails_the_request_after_a_few_tries(
    servers, caplog, monkeypatch
) -> None:
    monkeypatch.setattr(remote, "RETRY_PAUSE_S", 0.01)
    servers[0].refusal = (500, "boom")
    async with RunningEngine(servers[0]) as run:
        answer = await run.answers.ask("a", "hello")
    assert (answer.finish, answer.error) == ("error", FAILED_BEFORE_START)
    assert len(servers[0].bodies) == 3
    assert f"boom ({servers[0].url}/v1/chat/completions: 500)" in caplog.text


async def test_what_goes_wrong_in_a_look_ends_no_watch(servers, monkeypatch) -> None:
    async with RunningEngine(*servers) as run:
        failing = True
        read_metrics = Server.read_metrics

        async def odd(server: Server) -> ServerMetrics:
            if failing:
                raise RuntimeError("an answer nobody thought of")
            return await read_metrics(server)

        monkeypatch.setattr(Server, "read_metrics", odd)
        await asyncio.sleep(0.15)
        failing = False
        await servers[0].stop()
        await until(lambda: len(run.engine.pool.alive) == 1)


@pytest.mark.parametrize(("chunks", "end"), [(0, ("error", FAILED_BEFORE_START)), (1, ("cancelled", None))])
async def test_what_goes_wrong_in_one_answer_ends_it(servers, monkeypatch, chunks: int, end) -> None:
    async def odd(server: Server, body: bytes) -> AsyncIterator[list[Chunk]]:
        for _ in range(chunks):
            yield [msgspec.convert({"choices": [{"delta": {"content": "x"}}]}, Chunk)]
        raise RuntimeError("what httpx calls no HTTPError")

    monkeypatch.setattr(Server, "answer", odd)
    async with RunningEngine(servers[0]) as run:
        answer = await run.answers.ask("a", "hello")
        assert (answer.finish, answer.error, answer.text) == (*end, "x" * chunks)
        assert run.engine.pool.loads == {servers[0].url: 0}


async def test_what_a_server_aborts_moves_or_is_dropped_with_its_text(servers) -> None:
    first, second = servers
    first.finish = "abort"
    async with RunningEngine(first, second) as run:
        dropped = await run.answers.ask("a", "hello")
        first.words = ("",)
        moved = [await run.answers.ask(id, "hello") for id in ("b", "c")]
    assert (dropped.text, dropped.finish, dropped.error) == ("one two three", "cancelled", None)
    assert [(answer.text, answer.finish) for answer in moved] == [("one two three", "stop")] * 2
    assert len(first.bodies) == 2, "asked for one of them, and aborted it"
