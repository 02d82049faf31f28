"""The remote engine when servers fail, come back, differ or refuse; the contract runs on a real vLLM."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from inference.engines.base import EngineDiedError, EngineRequest, EngineStartError
from inference.engines.remote import NOT_BEGUN, RemoteEngine
from inference.prompt import EstimateCounter, TokenizerCounter
from inference.replicas import fleet
from inference.replicas.settings import RemoteSettings
from inference.request import ChatMessage, Sampling, TokenLogprob
from tests.inference.answers import Answers
from tests.inference.scripted_server import ScriptedServer


@pytest.fixture(autouse=True)
def _watch_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "WATCH_S", 0.05)


@pytest_asyncio.fixture
async def servers() -> AsyncIterator[list[ScriptedServer]]:
    pair = [await ScriptedServer().start(), await ScriptedServer().start()]
    yield pair
    for server in pair:
        await server.stop()


class Running:
    """An engine on these servers with one reader."""

    def __init__(self, *servers: ScriptedServer, **settings: object) -> None:
        urls = tuple(server.url for server in servers)
        self.engine = RemoteEngine(RemoteSettings(urls=urls, **settings))  # type: ignore[arg-type]

    async def __aenter__(self) -> Running:
        self.info = await self.engine.start(lambda phase, fraction: None)
        self.answers = Answers(self.engine)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.close()
        await self.answers.ended()


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the other end of a socket announces nothing
            await asyncio.sleep(0.01)


async def test_an_answer_with_its_usage(servers) -> None:
    async with Running(servers[0]) as run:
        answer = await run.answers.ask("a", "hello", stop=("END",), seed=3)
    assert (answer.text, answer.tokens, answer.finish) == ("one two three", 3, "stop")
    assert answer.outputs[0].prompt_tokens == 7
    assert answer.outputs[-1].cached_tokens == 5
    (body,) = servers[0].bodies
    assert (body["stop"], body["seed"], body["priority"], body["model"]) == (["END"], 3, 0, "small")
    assert run.info.context_tokens == 4096


async def test_probabilities_are_asked_for_and_handed_on(servers) -> None:
    async with Running(servers[0]) as run:
        answer = await run.answers.ask("a", "hello", logprobs=2)
        await run.answers.ask("b", "hello")
    told = [one for output in answer.outputs for one in output.logprobs]
    assert [one.token for one in told] == ["one", " two", " three"]
    assert told[0] == TokenLogprob("one", -1.25, (("ONE", -0.5), ("ONE", -1.5)))
    wished, plain = servers[0].bodies
    assert (wished["logprobs"], wished["top_logprobs"]) == (True, 2)
    assert "logprobs" not in plain


async def test_tokens_of_a_server_that_counts_only_at_the_end(servers) -> None:
    servers[0].usage = False
    servers[0].routes["/tokenize"] = {"count": 9}
    async with Running(servers[0]) as run:
        answer = await run.answers.ask("a", "hello")
        assert run.engine.stats().prompt_tokens == 7, "corrected, not added"
    assert answer.tokens == 3
    assert [output.prompt_tokens for output in answer.outputs if output.prompt_tokens is not None][-1] == 7


async def prompt_tokens(server: ScriptedServer, **settings: object) -> int | None:
    """Of an answer that a server which counts only at the end had begun when it was stopped."""
    server.usage, server.hold_after = False, 1
    async with Running(server, **settings) as run:
        await run.answers.add("a", "hello there " * 20)
        first = await run.answers.first_of("a")
        await until(lambda: any(output.prompt_tokens is not None for output in first.outputs))
        await run.engine.abort(["a"])
        answer = await run.answers.end_of("a")
        told = [output.prompt_tokens for output in answer.outputs if output.prompt_tokens is not None]
        assert run.engine.stats().prompt_tokens == told[-1]
    return told[-1]


async def test_a_prompt_whose_length_the_server_does_not_tell_is_asked_for(servers) -> None:
    servers[0].routes["/tokenize"] = {"count": 41}
    assert await prompt_tokens(servers[0]) == 41


@pytest.mark.parametrize("how", ["absent", "failing"])
async def test_without_tokenize_it_is_estimated(servers, how: str) -> None:
    if how == "absent":
        del servers[0].routes["/tokenize"]
    else:
        servers[0].routes["/tokenize"] = {"error": "not today"}
    message = ChatMessage("user", "hello there " * 20)
    assert await prompt_tokens(servers[0]) == EstimateCounter().count([message]) > 40


async def test_a_tokenizer_at_hand_counts_first(servers, embedded_model: Path) -> None:
    exact = TokenizerCounter(embedded_model).count([ChatMessage("user", "hello there " * 20)])
    assert await prompt_tokens(servers[0], tokenizer=embedded_model) == exact != 7


async def test_the_key_goes_with_every_request(servers) -> None:
    async with Running(servers[0], api_key="secret") as run:
        await run.answers.ask("a", "hello")
    assert servers[0].headers
    assert all("authorization: bearer secret" in head.lower() for head in servers[0].headers)


async def test_typed_control_tokens_do_not_reach_the_server(servers) -> None:
    async with Running(servers[0]) as run:
        await run.answers.ask("a", "<|im_start|>system [INST] </s>")
    content = servers[0].bodies[0]["messages"][0]["content"]
    assert not any(token in content for token in ("<|im_start|>", "[INST]", "</s>"))


async def test_abort_closes_the_connection(servers) -> None:
    servers[0].hold_after = 1
    async with Running(servers[0]) as run:
        await run.answers.add("a", "hello")
        await run.answers.first_of("a")
        await run.engine.abort(["a"])
        answer = await run.answers.end_of("a")
        await until(lambda: servers[0].left == 1)
    assert (answer.text, answer.finish) == ("one", "cancelled")


async def test_of_a_server_that_fails_unanswered_requests_move_and_begun_ones_are_dropped(servers) -> None:
    first, second = servers
    first.hold_after = second.hold_after = 1
    async with Running(first, second) as run:
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
    async with Running(first, second) as run:
        await run.answers.add("b", "hello")
        await run.answers.first_of("b")
        assert run.engine.stats().running == 1
        await first.stop()
        moved = await run.answers.end_of("b")
    assert (moved.text, moved.tokens, moved.finish) == ("one two three", 3, "stop")


async def test_a_server_is_never_given_more_than_its_slots(servers) -> None:
    first, second = servers
    first.hold_after = second.hold_after = 0
    async with Running(first, second, slots=2) as run:
        for n in range(4):
            await run.answers.add(f"a{n}", "hello", priority=n)
        await until(lambda: (len(first.bodies), len(second.bodies)) == (2, 2))
        await first.stop()
        await until(lambda: len(run.engine._fleet._line._waiting) == 2)
        for priority, id in ((9, "later"), (-9, "sooner")):
            await run.answers.add(id, id, priority=priority)
        await asyncio.sleep(0.1)
        assert len(second.bodies) == 2, "the dead server's requests wait for a slot"
        assert run.engine.stats().waiting == 6
        second.hold_after = None
        await run.engine.abort(["later"])
        held = [id for id in ("a0", "a1", "a2", "a3") if run.engine._flights[id].server is not None]
        await run.engine.abort(held[:1])
        await until(lambda: len(second.bodies) > 2)
        assert second.bodies[2]["messages"][0]["content"] == "sooner"
        await run.engine.abort(held[1:])
        for id in ("sooner", *({"a0", "a1", "a2", "a3"} - set(held))):
            assert (await run.answers.end_of(id)).finish == "stop"
        await until(lambda: run.engine._fleet._loads == {first.url: 0, second.url: 0})


async def test_those_who_wait_for_a_slot_get_the_server_that_comes_back(servers) -> None:
    first, second = servers
    second.hold_after = 0
    async with Running(first, second, slots=1) as run:
        await first.stop()
        await until(lambda: len(run.engine._fleet.alive) == 1)
        await run.answers.add("held", "hello")
        await run.answers.add("waits", "hello")
        await until(lambda: second.bodies)
        await first.start()
        assert (await run.answers.end_of("waits")).finish == "stop"
        assert len(first.bodies) == 1
        await run.engine.abort(["held"])


async def test_a_server_that_comes_back_is_used_again(servers) -> None:
    first, second = servers
    async with Running(first, second) as run:
        await first.stop()
        for n in range(3):
            assert (await run.answers.ask(f"a{n}", "hello")).finish == "stop"
        assert not first.bodies
        await first.start()
        n = 0
        async with asyncio.timeout(10):
            while not first.bodies:
                n += 1
                assert (await run.answers.ask(f"b{n}", "hello")).finish == "stop"


async def test_the_engine_dies_with_its_last_server_and_judges_no_request(servers) -> None:
    servers[0].hold_after = 1
    async with Running(servers[0]) as run:
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
    async with Running(servers[0]) as run:
        await servers[0].stop()
        await run.answers.ended()
        assert isinstance(run.answers.death, EngineDiedError)


async def test_a_refused_request_ends_by_the_servers_word(servers) -> None:
    servers[0].refusal = (400, "This model's maximum context length is 4096 tokens.")
    async with Running(servers[0]) as run:
        answer = await run.answers.ask("a", "hello")
        assert answer.finish == "error"
        assert answer.error == "This model's maximum context length is 4096 tokens."
        assert len(servers[0].bodies) == 1


async def test_a_failing_server_that_is_well_fails_the_request_after_a_few_tries(servers, caplog) -> None:
    servers[0].refusal = (500, "boom")
    async with Running(servers[0]) as run:
        answer = await run.answers.ask("a", "hello")
    assert (answer.finish, answer.error) == ("error", NOT_BEGUN)
    assert len(servers[0].bodies) == 3
    assert f"boom ({servers[0].url}/v1/chat/completions: 500)" in caplog.text


async def test_a_server_without_priorities_is_asked_without(servers) -> None:
    servers[0].refuses_priority = True
    async with Running(servers[0]) as run:
        assert (await run.answers.ask("a", "hello")).finish == "stop"
        assert (await run.answers.ask("b", "hello")).finish == "stop"
    assert ["priority" in body for body in servers[0].bodies] == [True, False, False]


async def test_conversations_stay_with_their_server(servers) -> None:
    async with Running(*servers) as run:
        for n in range(6):
            message = ChatMessage("user", str(n % 2))
            request = EngineRequest(
                id=str(n), messages=(message,), sampling=Sampling(), max_tokens=5, affinity=str(n % 2)
            )
            await run.engine.add(request)
            await run.answers.end_of(str(n))
    contents = [{body["messages"][0]["content"] for body in server.bodies} for server in servers]
    assert contents == [{"0"}, {"1"}]


async def test_counting_without_tokenize_is_an_estimate(servers) -> None:
    async with Running(servers[0]) as run:
        assert await run.engine.count_tokens([ChatMessage("user", "hello")]) == 7
        del servers[0].routes["/tokenize"]
        assert await run.engine.count_tokens([ChatMessage("user", "hello " * 100)]) > 100


async def test_one_of_two_servers_is_enough_to_start(servers) -> None:
    await servers[1].stop()
    async with Running(*servers, slots=10) as run:
        assert run.info.max_running == 20
        assert (await run.answers.ask("a", "hello")).finish == "stop"


async def test_no_server_no_start(servers, caplog) -> None:
    for server in servers:
        await server.stop()
    with pytest.raises(EngineStartError, match="server 2 is not reachable") as error:
        await RemoteEngine(RemoteSettings(urls=(servers[0].url, servers[1].url))).start(lambda *_: None)
    assert "http" not in str(error.value)
    assert servers[1].url in caplog.text


async def test_servers_of_two_models_do_not_start(servers) -> None:
    servers[1].model = "large"
    with pytest.raises(EngineStartError, match="does not serve"):
        await RemoteEngine(RemoteSettings(urls=(servers[0].url, servers[1].url))).start(lambda *_: None)


async def test_the_servers_own_control_tokens_are_used(servers) -> None:
    table = {"0": "<|end|>", "1": {"content": "<special-one>"}, "2": "  "}
    servers[0].routes["/tokenizer_info"] = {"eos_token": "§end", "added_tokens_decoder": table}
    async with Running(servers[0]) as run:
        await run.answers.ask("a", "§end <special-one> <s>  x")
    content = servers[0].bodies[0]["messages"][0]["content"]
    assert content.replace("\u200b", "") == "§end <special-one> <s>  x"
    assert ("§end" in content, "<special-one>" in content, "<s>  x" in content) == (False, False, True)


async def test_a_list_of_control_tokens_that_fails_is_not_replaced_by_a_guess(servers) -> None:
    servers[0].failing.add("/tokenizer_info")
    with pytest.raises(EngineStartError, match="control tokens"):
        await RemoteEngine(RemoteSettings(urls=(servers[0].url,))).start(lambda *_: None)


async def test_a_server_that_hides_its_context_needs_the_setting(servers) -> None:
    servers[0].context = None
    with pytest.raises(EngineStartError, match="VLLM_MAX_MODEL_LEN"):
        await RemoteEngine(RemoteSettings(urls=(servers[0].url,))).start(lambda *_: None)
    async with Running(servers[0], context_tokens=2048) as run:
        assert run.info.context_tokens == 2048


async def test_steps_move_while_a_server_computes_a_long_prompt(servers) -> None:
    servers[0].hold_after = 0
    servers[0].routes["/metrics"] = 'vllm:kv_cache_usage_perc{engine="0"} 0.125\n'
    async with Running(servers[0]) as run:
        await run.answers.add("a", "long")
        await until(lambda: servers[0].bodies)
        await asyncio.sleep(0.2)
        before = run.engine.stats()
        await asyncio.sleep(0.2)
        assert run.engine.stats() == before, "a frozen server is seen to be"
        servers[0].routes["/metrics"] = 'vllm:kv_cache_usage_perc{engine="0"} 0.25\n'
        await until(lambda: run.engine.stats().steps > before.steps)
        assert run.engine.stats().kv_usage == 0.25
        assert run.engine.stats().waiting == 1


async def test_a_server_without_figures_is_not_taken_for_frozen(servers) -> None:
    servers[0].hold_after = 0
    async with Running(servers[0]) as run:
        await run.answers.add("a", "long")
        await until(lambda: run.engine.stats().steps > 3)
