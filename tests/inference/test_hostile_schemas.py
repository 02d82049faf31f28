"""Real vLLM beside schemas that are made to cost: each is refused or served, and a running answer goes on."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from inference.engines.vllm.engine import VllmEngine
from tests.inference.live_engines import LiveEngine
from tests.support.hostile_schemas import KINDS, REPORTED, hostile_schemas

pytestmark = [pytest.mark.real_engine, pytest.mark.asyncio(loop_scope="session")]


def new_id() -> str:
    return str(uuid.uuid4())


@pytest.mark.parametrize(
    "count", [len(KINDS), pytest.param(200, marks=pytest.mark.proof)], ids=["one_of_each_kind", "all"]
)
async def test_each_schema_is_refused_or_served(vllm: LiveEngine, count: int) -> None:
    """Straight at the engine, past the checks of `/v1`: its own gate holds."""
    assert isinstance(vllm.engine, VllmEngine)
    host, running = vllm.engine.pid, new_id()
    await vllm.answers.add(
        running, "Tell me a long story about the sea.", max_tokens=100_000, ignore_eos=True
    )
    await vllm.answers.first_of(running)
    turns = asyncio.Semaphore(8)

    async def one(schema: dict[str, object]) -> tuple[str | None, str | None]:
        async with turns:
            answer = await vllm.answers.ask(new_id(), "Answer.", max_tokens=12, json_schema=schema)
        return answer.finish, answer.error

    ends = await asyncio.gather(*map(one, hostile_schemas(count)))
    went_on = await vllm.answers.first_of(running)
    assert went_on.finish is None or went_on.finish == "length"
    await vllm.engine.abort([running])
    assert vllm.answers.death is None
    assert vllm.engine.pid == host
    finishes = {finish for finish, _ in ends}
    assert {"length", "error"} <= finishes <= {"stop", "length", "error"}, "some are served, some refused"
    assert all(error for finish, error in ends if finish == "error")


async def test_the_reported_schema_holds_up_nobody(vllm: LiveEngine) -> None:
    """It kept the engine from its next step for minutes, and the engine was replaced."""
    running = new_id()
    await vllm.answers.add(running, "Tell me a long story about the sea.", max_tokens=500, ignore_eos=True)
    await vllm.answers.first_of(running)
    refused = await vllm.answers.ask(new_id(), "Answer.", json_schema=REPORTED)
    assert refused.error is not None
    assert "'pattern' at #/properties/a" in refused.error
    begun = len((await vllm.answers.first_of(running)).outputs)
    await vllm.answers.longest_gap_s(running, outputs=3)
    assert len((await vllm.answers.first_of(running)).outputs) > begun
    await vllm.engine.abort([running])


async def test_the_first_schema_chooses_no_compiler(vllm: LiveEngine) -> None:
    """vLLM took the compiler of whichever schema came first; each of these asks for another's."""
    for schema in (
        {"type": "object", "patternProperties": {"^a$": {"type": "string"}}, "additionalProperties": False},
        {"type": "object", "properties": {"a": {"type": "integer", "multipleOf": 7}}, "required": ["a"]},
        {"oneOf": [{"type": "boolean"}, {"type": "null"}]},
    ):
        answer = await vllm.answers.ask(new_id(), "Answer.", max_tokens=40, json_schema=schema)
        assert answer.finish in ("stop", "length"), answer.error
