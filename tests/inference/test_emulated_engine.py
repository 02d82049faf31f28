"""The emulated engine: its text, its timing, its limits, its faults, its settings."""

import asyncio
import json
import math

import pytest

from inference.engines.base import EngineDiedError, EngineRequest
from inference.engines.emulated.engine import EmulatedEngine, EmulatedSettings, estimate_tokens
from inference.engines.emulated.timing import PRESETS, Timing
from inference.request import ChatMessage, Sampling

pytestmark = pytest.mark.usefixtures("virtual_time")

FAST = EmulatedSettings(timing=Timing(step_s=0.001))


def request(id="a", content="hello", max_tokens=20, **sampling):
    message = ChatMessage(role="user", content=content)
    return EngineRequest(id=id, messages=(message,), sampling=Sampling(**sampling), max_tokens=max_tokens)


async def started(settings=FAST):
    engine = EmulatedEngine(settings)
    engine.transcript = {}
    info = await engine.start(lambda text, done: None)
    assert "emulated" in info.model
    return engine


async def outputs_until_done(engine, ids):
    """Every output per id, until each of them has a finish reason."""
    open_ids, collected = set(ids), {id: [] for id in ids}
    async for step in engine.steps():
        for output in step.outputs:
            collected[output.id].append(output)
            if output.finish_reason:
                open_ids.discard(output.id)
        if not open_ids:
            return collected
    raise AssertionError("the engine closed")


async def one(engine, request):
    await engine.add(request)
    return (await outputs_until_done(engine, [request.id]))[request.id]


async def seconds_of(engine, request):
    loop = asyncio.get_running_loop()
    began = loop.time()
    await one(engine, request)
    return loop.time() - began


async def test_the_same_messages_get_the_same_text_and_others_another():
    engine = await started()
    first = await one(engine, request("a", "hello"))
    again = await one(engine, request("b", "hello"))
    other = await one(engine, request("c", "goodbye"))
    text = "".join(o.text for o in first)
    assert text == "".join(o.text for o in again) == engine.transcript["a"]
    assert text != "".join(o.text for o in other)
    assert first[0].prompt_tokens == estimate_tokens(request("a", "hello").messages)
    assert [o.prompt_tokens for o in first[1:]] == [None] * (len(first) - 1)
    await engine.close()


async def test_max_tokens_ends_with_length_and_is_exact():
    engine = await started(EmulatedSettings(timing=FAST.timing, answer_tokens=0))
    outputs = await one(engine, request(max_tokens=37))
    assert sum(o.new_tokens for o in outputs) == 37
    assert outputs[-1].finish_reason == "length"
    await engine.close()


async def test_a_natural_end_is_a_stop():
    engine = await started(EmulatedSettings(timing=FAST.timing, answer_tokens=10))
    outputs = await one(engine, request(max_tokens=1000))
    assert outputs[-1].finish_reason == "stop"
    assert 5 <= sum(o.new_tokens for o in outputs) <= 15
    await engine.close()


async def test_a_stop_string_is_never_shown_even_when_it_spans_tokens():
    engine = await started(EmulatedSettings(timing=FAST.timing, answer_tokens=0))
    whole = "".join(o.text for o in await one(engine, request("a", max_tokens=120)))
    stop = whole[100:112]
    outputs = await one(engine, request("b", max_tokens=120, stop=(stop,)))
    assert "".join(o.text for o in outputs) == whole[: whole.find(stop)]
    assert outputs[-1].finish_reason == "stop"
    assert engine.stats().running == 0
    await engine.close()


async def test_abort_ends_within_a_step_and_frees_the_slot():
    engine = await started(EmulatedSettings(timing=Timing(step_s=0.02, max_running=1), answer_tokens=0))
    await engine.add(request("a", max_tokens=1000))
    await engine.add(request("b", max_tokens=2))
    async for step in engine.steps():
        if step.stats.generation_tokens == 2:
            break
    await engine.abort(["a", "unknown"])
    done = await outputs_until_done(engine, ["a", "b"])
    assert done["a"][-1].finish_reason == "cancelled"
    assert done["b"][-1].finish_reason == "length"
    await engine.close()


async def test_a_prompt_beyond_the_context_is_refused_with_a_reason():
    engine = await started(EmulatedSettings(timing=FAST.timing, context_tokens=100))
    outputs = await one(engine, request(content="字" * 1000))
    assert outputs[-1].finish_reason == "error"
    assert "context" in outputs[-1].error
    await engine.close()


@pytest.mark.parametrize("late_s", [0.0, 0.003])
async def test_the_decode_rate_holds_on_average_though_timers_are_late(virtual_time, late_s):
    engine = await started(EmulatedSettings(timing=Timing(step_s=0.004), answer_tokens=0))
    virtual_time.late_s = late_s
    took_s = await seconds_of(engine, request(max_tokens=100))
    assert took_s == pytest.approx(0.4 + late_s), "the last step is late, not the sum of all"
    await engine.close()


async def test_frozen_it_looks_alive_and_does_not_step():
    engine = await started()
    await engine.add(request(max_tokens=10_000))
    async for step in engine.steps():
        if step.stats.generation_tokens > 3:
            break
    engine.stall()
    await asyncio.sleep(0.01)
    before = engine.stats()
    await asyncio.sleep(0.03)
    assert engine.stats() == before
    assert before.running == 1
    await engine.close()


async def test_dead_it_raises_everywhere():
    engine = await started()
    await engine.add(request(max_tokens=10_000))
    engine.die()
    with pytest.raises(EngineDiedError):
        async for _ in engine.steps():
            pass
    with pytest.raises(EngineDiedError):
        await engine.add(request("b"))
    await engine.close()
    await engine.close()


async def test_the_transcript_file_holds_what_was_delivered(tmp_path):
    path = tmp_path / "transcript.jsonl"
    engine = await started(EmulatedSettings(timing=FAST.timing, transcript=str(path)))
    text = "".join(o.text for o in await one(engine, request(max_tokens=50)))
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert "".join(line["made"].get("a", "") for line in lines) == text
    due = [line["at"] for line in lines]
    assert due == sorted(due)
    assert due[-1] - due[0] == pytest.approx((len(due) - 1) * FAST.timing.step_s, rel=0.05)
    await engine.close()


def test_settings_come_from_the_environment():
    env = {
        "CHATSITE_EMULATED_PRESET": "peer",
        "CHATSITE_EMULATED_STEP_S": "0.01",
        "CHATSITE_EMULATED_PREFILL_TOKENS_PER_S": "4000",
        "CHATSITE_EMULATED_ANSWER_TOKENS": "12",
        "OTHER": "x",
    }
    settings = EmulatedSettings.from_env(env)
    assert settings.timing.step_s == 0.01
    assert settings.timing.prefill_tokens_per_s == 4000
    assert settings.timing.max_running == PRESETS["peer"].max_running
    assert settings.answer_tokens == 12


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STEP_S", "fast"),
        ("STEP_S", "0"),
        ("STEP_BUDGET", "1"),
        ("PRESET", "h100"),
        ("SEQ_S", "nan"),
    ],
)
def test_a_wrong_setting_is_named(name, value):
    with pytest.raises(ValueError, match=name) as error:
        EmulatedSettings.from_env({f"CHATSITE_EMULATED_{name}": value})
    assert value in str(error.value)


def test_infinite_prefill_is_the_default_of_the_peer():
    assert PRESETS["peer"].prefill_tokens_per_s == math.inf
