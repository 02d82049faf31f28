"""What every engine adapter promises to the dispatcher: the docstrings of inference/engines/base.py."""

from __future__ import annotations

import asyncio
import uuid
from typing import NamedTuple

import pytest
import pytest_asyncio

from inference.engines.base import EngineDiedError
from inference.request import ChatMessage
from tests.inference.live_engines import ADAPTERS, Adapter, Engines, LiveEngine
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUESTION = "Tell me a long story about the sea."

LOOKS = 25
"""Requests in whose time a remote server hears of a closed connection, stops and says so."""


@pytest.fixture(params=ADAPTERS, scope="module")
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """Of module scope, so that each engine passes all tests before the next one is started."""
    chosen: Adapter = request.param
    return chosen


@pytest_asyncio.fixture(loop_scope="session")
async def live(adapter: Adapter, engines: Engines) -> LiveEngine:
    return await engines.get(adapter)


def new_id() -> str:
    return str(uuid.uuid4())


async def test_start_says_what_the_engine_is(live: LiveEngine) -> None:
    info = live.info
    assert info.engine == live.engine.kind
    assert info.model
    assert 0 < info.context_tokens <= info.kv_tokens
    assert info.max_running > 0


async def test_deltas_concatenate_and_counts_are_exact(live: LiveEngine) -> None:
    messages = [ChatMessage("user", QUESTION)]
    answer = await live.answers.ask(new_id(), QUESTION, max_tokens=12, temperature=0.0)
    assert answer.text
    assert answer.tokens <= 12
    first, *others = answer.outputs
    assert first.prompt_tokens == await live.engine.count_tokens(messages)
    assert all(output.prompt_tokens is None for output in others)
    assert all(output.finish_reason is None for output in answer.outputs[:-1])


async def test_max_tokens_ends_with_length(live: LiveEngine) -> None:
    answer = await live.answers.ask(new_id(), QUESTION, max_tokens=7, temperature=0.0)
    assert (answer.tokens, answer.finish) == (7, "length")


async def test_a_wish_beyond_the_context_is_cut_to_it(live: LiveEngine) -> None:
    id = new_id()
    await live.answers.add(id, QUESTION, max_tokens=live.info.context_tokens * 10)
    await live.answers.first_of(id)
    await live.engine.abort([id])
    assert (await live.answers.end_of(id)).finish == "cancelled"


async def test_each_token_comes_with_its_probability(live: LiveEngine) -> None:
    answer = await live.answers.ask(new_id(), QUESTION, max_tokens=12, temperature=0.0, logprobs=3)
    told = [one for output in answer.outputs for one in output.logprobs]
    if not live.info.logprobs:
        assert not told, "an engine that cannot tell makes nothing up"
        return
    assert len(told) == answer.tokens
    assert "".join(one.token for one in told) == answer.text
    for one in told:
        assert len(one.top) == 3
        assert one.top[0] == (one.token, one.logprob), "without randomness the likeliest is drawn"
        assert 0 >= one.top[0][1] >= one.top[1][1] >= one.top[2][1]
    alone = await live.answers.ask(new_id(), QUESTION, max_tokens=2, temperature=0.0, logprobs=0)
    assert [one.top for output in alone.outputs for one in output.logprobs] == [(), ()]
    silent = await live.answers.ask(new_id(), QUESTION, max_tokens=2, temperature=0.0)
    assert not any(output.logprobs for output in silent.outputs)


async def test_stop_strings_end_before_themselves(live: LiveEngine) -> None:
    whole = await live.answers.ask(new_id(), QUESTION, max_tokens=16, temperature=0.0)
    stop = whole.text[len(whole.text) // 2 :][:4]
    cut = await live.answers.ask(new_id(), QUESTION, max_tokens=16, temperature=0.0, stop=(stop,))
    assert cut.finish == "stop"
    assert cut.text == whole.text[: whole.text.index(stop)]


async def test_the_same_seed_gives_the_same_answer(live: LiveEngine) -> None:
    first, second = [
        await live.answers.ask(new_id(), QUESTION, max_tokens=12, temperature=0.9, seed=7) for _ in range(2)
    ]
    assert first.text == second.text


async def test_a_seed_holds_for_a_prompt_of_many_steps(live: LiveEngine) -> None:
    """Longer than one step's budget, beside others: each run cuts the prompt differently."""
    long = "Once upon a time there was a ship. " * 60
    alone = await live.answers.ask(new_id(), long, max_tokens=6, temperature=0.9, seed=7)
    beside = [new_id() for _ in range(3)]
    for id in beside:
        await live.answers.add(id, f"{id} {long}", max_tokens=6, temperature=0.9, seed=11)
    again = await live.answers.ask(new_id(), long, max_tokens=6, temperature=0.9, seed=7)
    assert (alone.tokens, again.tokens) == (6, 6)
    assert all([(await live.answers.end_of(id)).tokens for id in beside])


async def test_a_cached_prompt_is_found_with_its_own_salt_alone(live: LiveEngine) -> None:
    """The probe of CVE-2025-46570. That it finds what has its salt, or none as it has, is its proof."""
    prompt = f"{new_id()}: " + "the password of the archive is in the blue folder. " * 40

    async def cached(salt: str) -> int:
        answer = await live.answers.ask(new_id(), prompt, max_tokens=1, cache_salt=salt)
        return max(output.cached_tokens or 0 for output in answer.outputs)

    assert await cached("") == 0
    unsalted = await cached("")
    assert await cached("alice") == 0, "no salt is a domain of its own"
    assert await cached("bob") == 0
    assert await cached("alice") == await cached("bob") == unsalted
    assert unsalted or not live.engine.stats().prefix_queries, "an engine with a cache was to find it"


async def test_many_at_once_all_end_with_their_own_text(live: LiveEngine) -> None:
    ids = [new_id() for _ in range(20)]
    steps_before = live.engine.stats().steps
    answers = await asyncio.gather(
        *(live.answers.ask(id, f"{QUESTION} Number {n}.", max_tokens=5 + n % 3) for n, id in enumerate(ids))
    )
    assert all(answer.finish in {"length", "stop"} for answer in answers)
    assert all(answer.text for answer in answers)
    # Together, not one after the other: far fewer steps than the 120 tokens.
    assert live.engine.stats().steps - steps_before < 60


async def test_abort_of_a_running_request_frees_its_slot(live: LiveEngine) -> None:
    id = new_id()
    await live.answers.add(id, QUESTION, max_tokens=1000)
    before = await live.answers.first_of(id)
    seen = len(before.outputs)
    await live.engine.abort([id])
    answer = await live.answers.end_of(id)
    assert answer.finish == "cancelled"
    assert answer.text
    assert len(answer.outputs) - seen <= 3
    stats = await live.answers.stats_where("none")
    assert (stats.running, stats.waiting) == (0, 0)
    # A remote engine learns of its servers' memory a look later.
    async with asyncio.timeout(PATIENCE_S):
        while live.engine.stats().kv_usage >= 0.01:  # noqa: ASYNC110 - metrics announce themselves to nobody
            await asyncio.sleep(0.05)


async def test_stop_frees_the_slot_within_one_step(live: LiveEngine) -> None:
    """The step under way is the last with it; metrics come with a step's frame, so the next one tells it.

    A remote server gets two steps and the time of a few requests to it, by its metrics. A busy machine delays
    the word to the engine by steps of its own and can only add, so of three stops the quickest counts.
    """
    stays = new_id()
    await live.answers.add(stays, QUESTION, max_tokens=2000)
    taken = [await _steps_to_a_free_slot(live, stays) for _ in range(3)]
    await live.engine.abort([stays])
    assert (await live.answers.end_of(stays)).finish == "cancelled"
    print(f"{live.adapter.name}: " + "; ".join(str(one) for one in taken))
    if live.adapter.name == "remote":
        assert min((one.s - 2 * one.step_s) / one.look_s for one in taken) <= LOOKS
    else:
        assert min(one.steps for one in taken) <= 2, "the step under way, and the one that tells"


class Freed(NamedTuple):
    """How long a stopped answer kept its slot, beside another whose longest step took `step_s`.

    `look_s`: what one look at the slots took at most; for a remote server it is a request.
    """

    s: float
    steps: int
    step_s: float
    look_s: float

    def __str__(self) -> str:
        return (
            f"free after {self.s * 1000:.0f} ms, {self.steps} steps of {self.step_s * 1000:.0f} ms at most, "
            f"looks of {self.look_s * 1000:.0f} ms at most"
        )


async def _steps_to_a_free_slot(live: LiveEngine, stays: str) -> Freed:
    stops = new_id()
    await live.answers.add(stops, QUESTION, max_tokens=2000)
    await live.answers.first_of(stops)
    step_s = await live.answers.longest_gap_s(stays, outputs=20)
    loop, looks_s = asyncio.get_running_loop(), []

    async def slots() -> int:
        began = loop.time()
        found = await live.adapter.slots_in_use(live.engine)
        looks_s.append(loop.time() - began)
        return found

    async with asyncio.timeout(PATIENCE_S):
        while await slots() < 2:  # noqa: ASYNC110 - nobody announces slots
            await asyncio.sleep(0.002)
        steps_before, asked = live.engine.stats().steps, loop.time()
        await live.engine.abort([stops])
        while await slots() > 1:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
    return Freed(loop.time() - asked, live.engine.stats().steps - steps_before, step_s, max(looks_s))


async def test_abort_of_a_waiting_request_ends_it_without_text(live: LiveEngine) -> None:
    running = [new_id() for _ in range(live.info.max_running)]
    for id in running:
        await live.answers.add(id, QUESTION, max_tokens=1000)
    waiting = new_id()
    await live.answers.add(waiting, QUESTION, max_tokens=1000)
    await live.answers.stats_where("some")
    await live.engine.abort([waiting])
    answer = await live.answers.end_of(waiting)
    assert (answer.finish, answer.text, answer.tokens) == ("cancelled", "", 0)
    await live.engine.abort(running)
    assert {(await live.answers.end_of(id)).finish for id in running} == {"cancelled"}
    await live.answers.stats_where("none")


async def test_abort_right_after_add_still_ends_it_once(live: LiveEngine) -> None:
    id = new_id()
    await live.answers.add(id, QUESTION, max_tokens=1000)
    await live.engine.abort([id])
    answer = await live.answers.end_of(id)
    ends = [output.finish_reason for output in answer.outputs if output.finish_reason]
    assert ends == ["cancelled"]  # after some words, where a busy machine delays the word to stop
    await live.answers.stats_where("none")


async def test_abort_of_unknown_and_finished_requests_is_ignored(live: LiveEngine) -> None:
    id = new_id()
    answer = await live.answers.ask(id, QUESTION, max_tokens=3)
    outputs = len(answer.outputs)
    await live.engine.abort([id, new_id()])
    await live.answers.ask(new_id(), QUESTION, max_tokens=3)
    assert len(answer.outputs) == outputs


async def test_a_prompt_beyond_the_context_is_refused_by_its_limit(live: LiveEngine) -> None:
    text = "word " * (live.info.context_tokens + 10)
    answer = await live.answers.ask(new_id(), text)
    assert answer.finish == "error"
    assert str(live.info.context_tokens) in (answer.error or "")


async def test_a_refused_request_leaves_the_others_alone(live: LiveEngine) -> None:
    good = new_id()
    await live.answers.add(good, QUESTION, max_tokens=8)
    bad = await live.answers.ask(new_id(), "\ud800 half a character")
    assert bad.finish == "error"
    assert (await live.answers.end_of(good)).finish == "length"


async def test_counters_grow_with_the_work(live: LiveEngine) -> None:
    before = live.engine.stats()
    await live.answers.ask(new_id(), QUESTION, max_tokens=6, temperature=0.0)
    after = live.engine.stats()
    assert after.steps >= before.steps + 6
    assert after.generation_tokens - before.generation_tokens == 6
    assert after.prompt_tokens > before.prompt_tokens


@pytest.mark.kills_engine
async def test_death_is_told_to_everyone_and_close_is_safe_after_it(live: LiveEngine) -> None:
    """Last, for it ends the shared engine."""
    await live.answers.add(new_id(), QUESTION, max_tokens=1000)
    await live.answers.stats_where("some")
    live.adapter.kill(live.engine)
    await live.answers.ended()
    assert isinstance(live.answers.death, EngineDiedError)
    with pytest.raises(EngineDiedError):
        await live.answers.add(new_id(), QUESTION)
    with pytest.raises(EngineDiedError):
        await live.engine.count_tokens([ChatMessage("user", QUESTION)])
    await live.engine.close()
    await live.engine.close()
