"""The remote engine when servers differ, count otherwise or refuse; the contract runs on a real vLLM."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inference.engines.base import EngineRequest, EngineStartError
from inference.engines.remote.engine import RemoteEngine
from inference.engines.remote.settings import RemoteSettings
from inference.prompt import EstimateCounter, PromptTokenizer
from inference.request import ChatMessage, Sampling, TokenLogprob
from tests.inference.remote_run import RunningEngine
from tests.support.scripted_server import ScriptedServer
from tests.support.waiting import until


async def test_an_answer_with_its_usage(servers) -> None:
    async with RunningEngine(servers[0]) as run:
        answer = await run.answers.ask("a", "hello", stop=("END",), seed=3)
    assert (answer.text, answer.tokens, answer.finish) == ("one two three", 3, "stop")
    assert answer.outputs[0].prompt_tokens == 7
    assert answer.outputs[-1].cached_tokens == 5
    (body,) = servers[0].bodies
    assert (body["stop"], body["seed"], body["priority"], body["model"]) == (["END"], 3, 0, "small")
    assert run.info.context_tokens == 4096


async def test_probabilities_are_asked_for_and_handed_on(servers) -> None:
    async with RunningEngine(servers[0]) as run:
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
    async with RunningEngine(servers[0]) as run:
        answer = await run.answers.ask("a", "hello")
        assert run.engine.stats().prompt_tokens == 7, "corrected, not added"
    assert answer.tokens == 3
    assert [output.prompt_tokens for output in answer.outputs if output.prompt_tokens is not None][-1] == 7


async def prompt_tokens(server: ScriptedServer, **settings: object) -> int | None:
    """Of an answer that a server which counts only at the end had begun when it was stopped."""
    server.usage, server.hold_after = False, 1
    async with RunningEngine(server, **settings) as run:
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
    exact = PromptTokenizer.read(embedded_model).count([ChatMessage("user", "hello there " * 20)])
    assert await prompt_tokens(servers[0], tokenizer=embedded_model) == exact != 7


async def test_the_key_goes_with_every_request(servers) -> None:
    async with RunningEngine(servers[0], api_key="secret") as run:
        await run.answers.ask("a", "hello")
    assert servers[0].headers
    assert all("authorization: bearer secret" in head.lower() for head in servers[0].headers)


async def test_typed_control_tokens_do_not_reach_the_server(servers) -> None:
    async with RunningEngine(servers[0]) as run:
        await run.answers.ask("a", "<|im_start|>system [INST] </s>")
    content = servers[0].bodies[0]["messages"][0]["content"]
    assert not any(token in content for token in ("<|im_start|>", "[INST]", "</s>"))


async def test_abort_closes_the_connection(servers) -> None:
    servers[0].hold_after = 1
    async with RunningEngine(servers[0]) as run:
        await run.answers.add("a", "hello")
        await run.answers.first_of("a")
        await run.engine.abort(["a"])
        answer = await run.answers.end_of("a")
        await until(lambda: servers[0].left == 1)
    assert (answer.text, answer.finish) == ("one", "cancelled")


async def test_a_refused_request_ends_by_the_servers_word(servers) -> None:
    servers[0].refusal = (400, "This model's maximum context length is 4096 tokens.")
    async with RunningEngine(servers[0]) as run:
        answer = await run.answers.ask("a", "hello")
        assert answer.finish == "error"
        assert answer.error == "This model's maximum context length is 4096 tokens."
        assert len(servers[0].bodies) == 1


async def test_a_server_without_priorities_is_asked_without(servers) -> None:
    servers[0].refuses_priority = True
    async with RunningEngine(servers[0]) as run:
        assert (await run.answers.ask("a", "hello")).finish == "stop"
        assert (await run.answers.ask("b", "hello")).finish == "stop"
    assert ["priority" in body for body in servers[0].bodies] == [True, False, False]


async def test_conversations_stay_with_their_server(servers) -> None:
    async with RunningEngine(*servers) as run:
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
    async with RunningEngine(servers[0]) as run:
        assert await run.engine.count_tokens([ChatMessage("user", "hello")]) == 7
        del servers[0].routes["/tokenize"]
        assert await run.engine.count_tokens([ChatMessage("user", "hello " * 100)]) > 100


async def test_one_of_two_servers_is_enough_to_start(servers) -> None:
    await servers[1].stop()
    async with RunningEngine(*servers, slots=10) as run:
        assert run.info.max_running == 20
        assert (await run.answers.ask("a", "hello")).finish == "stop"


async def test_no_server_no_start(servers, caplog) -> None:
    for server in servers:
        await server.stop()
    with pytest.raises(EngineStartError, match="server 2 is not reachable") as error:
        await RemoteEngine(RemoteSettings(urls=(servers[0].url, servers[1].url))).start(lambda *_: None)
    assert "http" not in str(error.value)
    assert servers[1].url in caplog.text


@pytest.fixture
async def third() -> AsyncIterator[ScriptedServer]:
    server = await ScriptedServer().start()
    yield server
    await server.stop()


@pytest.mark.parametrize("wrong", [0, 1, 2])
@pytest.mark.parametrize("named", ["small", ""])
async def test_a_server_of_another_model_is_left_out_and_told(
    servers, third, caplog, wrong: int, named: str
) -> None:
    """Wherever it stands, also where no model is named: it does not choose for the others."""
    fleet = [*servers, third]
    fleet[wrong].model = "large"
    async with RunningEngine(*fleet, model=named) as run:
        assert run.info.model == "small"
        assert f"{fleet[wrong].url} does not serve 'small' but large" in caplog.text
        for n in range(6):
            assert (await run.answers.ask(f"{n}", "hello")).finish == "stop"
        assert not fleet[wrong].bodies
        fleet[wrong].model = "small"  # mended: it is used, without a restart of the site
        await until(lambda: len(run.engine.pool.alive) == 3)


async def test_a_server_that_refuses_us_is_left_out(servers, caplog) -> None:
    servers[0].refuses_all = (401, "wrong key")
    async with RunningEngine(*servers) as run:
        assert (await run.answers.ask("a", "hello")).finish == "stop"
    assert "CHATSITE_REMOTE_API_KEY" in caplog.text


async def test_servers_of_other_models_alone_do_not_start(servers) -> None:
    settings = RemoteSettings(urls=(servers[0].url, servers[1].url), model="large")
    with pytest.raises(EngineStartError, match=r"1 does not serve 'large' but small(.|\n)*2 does not"):
        await RemoteEngine(settings).start(lambda *_: None)


async def test_a_server_that_was_restarted_with_another_model_loses_its_requests_to_others(servers) -> None:
    async with RunningEngine(*servers) as run:
        servers[0].model = "large"
        servers[0].refusal = (404, "The model `small` does not exist.")
        for n in range(6):
            assert (await run.answers.ask(f"{n}", "hello")).finish == "stop"
        assert [server.url for server in run.engine.pool.alive] == [servers[1].url]


async def test_the_servers_own_control_tokens_are_used(servers) -> None:
    table = {"0": "<|end|>", "1": {"content": "<special-one>"}, "2": "  "}
    servers[0].routes["/tokenizer_info"] = {"eos_token": "§end", "added_tokens_decoder": table}
    async with RunningEngine(servers[0]) as run:
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
    async with RunningEngine(servers[0], context_tokens=2048) as run:
        assert run.info.context_tokens == 2048


async def test_steps_move_while_a_server_computes_a_long_prompt(servers) -> None:
    servers[0].hold_after = 0
    servers[0].routes["/metrics"] = 'vllm:kv_cache_usage_perc{engine="0"} 0.125\n'
    async with RunningEngine(servers[0]) as run:
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
    async with RunningEngine(servers[0]) as run:
        await run.answers.add("a", "long")
        await until(lambda: run.engine.stats().steps > 3)
