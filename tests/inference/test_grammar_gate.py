"""Schemas are tried in limited processes before the engine compiles them: verdicts, limits, semaphore,
losses."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from inference.engines.vllm.host.cpu_time import descendants

llguidance = pytest.importorskip("llguidance", reason="llguidance, which compiles grammars, comes with vLLM")

from inference.engines.vllm.host import grammar_gate, grammar_process  # noqa: E402
from inference.engines.vllm.host.grammar_gate import FairSemaphore, GrammarGate, GrammarRefusedError, guided  # noqa: E402
from inference.engines.vllm.host.grammar_process import GrammarVerdict, Vocabulary, run_limited, try_grammar  # noqa: E402
from tests.support.waiting import PATIENCE_S  # noqa: E402

BYTES = llguidance.LLTokenizer("byte")

OBJECT: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


@pytest_asyncio.fixture
async def gate() -> AsyncIterator[GrammarGate]:
    gate = GrammarGate(Vocabulary())
    yield gate
    await gate.close()
    assert not processes()


def processes() -> list[int]:
    """The grammar processes of this process; an engine of another test has its own, below its host."""
    return [
        pid
        for pid in descendants(os.getpid())
        if b"grammar_process" in _command(pid) and _parent(pid) == os.getpid()
    ]


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


# --- one schema ---------------------------------------------------------------------------------


def tried(schema: dict[str, Any]) -> GrammarVerdict:
    return try_grammar(json.dumps(guided(schema)), BYTES)


@pytest.mark.parametrize(
    "schema",
    [
        OBJECT,
        {"type": "object"},
        {"enum": ["x", "y"]},
        {"oneOf": [OBJECT, {"type": "integer"}, {"type": "object"}]},
        {"type": "array", "items": {"$ref": "#"}},
        OBJECT | {"x-guidance": {"whitespace_pattern": "("}},
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_grammar_that_compiles_passes(schema: dict[str, Any]) -> None:
    assert tried(schema) == GrammarVerdict()


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "#"}, "No JSON fits"),
        ({"type": "no-such-type"}, "no-such-type"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"minItems": "x"}, "minItems"),
        ({"pattern": "(", "type": "string"}, "regex"),
        ({"type": "object", "properties": {f"p{n}": {"type": "integer"} for n in range(600)}}, "row"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_fails_to_compile_or_at_its_first_tokens_is_refused(schema: dict[str, Any], words: str) -> None:
    verdict = tried(schema)
    assert words in verdict.message
    assert "\n" not in verdict.message
    assert len(verdict.message) <= grammar_process.MAX_ERROR_CHARS


def spin() -> GrammarVerdict:
    while True:
        pass


def fill_memory() -> GrammarVerdict:
    return GrammarVerdict(str(len(bytearray(grammar_process.MEMORY_BYTES * 2))))


def sleep() -> GrammarVerdict:
    signal.pause()
    return GrammarVerdict()


def crash() -> GrammarVerdict:
    os.kill(os.getpid(), signal.SIGKILL)
    return GrammarVerdict()


@pytest.mark.parametrize(
    ("work", "limit"),
    [(spin, grammar_process.TOO_SLOW), (sleep, grammar_process.TOO_SLOW),
     (fill_memory, grammar_process.TOO_LARGE), (crash, grammar_process.BROKE)],
)  # fmt: skip
def test_work_ends_at_its_limits(
    work: Callable[[], GrammarVerdict], limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grammar_process, "WALL_S", 1)
    assert run_limited(work) == GrammarVerdict(limit=limit)


def test_the_next_work_is_none_the_worse() -> None:
    assert run_limited(crash).limit
    assert run_limited(lambda: GrammarVerdict("said")) == GrammarVerdict("said")


# --- the gate -----------------------------------------------------------------------------------


async def test_a_verdict_is_kept(gate: GrammarGate) -> None:
    """Who was refused or passed once asks no process again: there is none any more."""
    refused = {"type": "no-such-type"}
    await gate.check("alice", OBJECT)
    with pytest.raises(GrammarRefusedError, match="no-such-type"):
        await gate.check("alice", refused)
    for pid in processes():
        os.kill(pid, signal.SIGSTOP)
    await gate.check("bob", OBJECT)
    with pytest.raises(GrammarRefusedError, match="no-such-type"):
        await gate.check("bob", refused)


async def test_what_costs_too_much_reaches_no_process(gate: GrammarGate) -> None:
    with pytest.raises(GrammarRefusedError, match="'maxItems' at #"):
        await gate.check("alice", {"type": "array", "maxItems": 10**9})
    assert not processes()


async def test_who_takes_too_long_is_told_what_costs_most(
    gate: GrammarGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_slow(process: object, text: bytes) -> GrammarVerdict:
        return GrammarVerdict(limit=grammar_process.TOO_SLOW)

    monkeypatch.setattr(grammar_gate.GrammarProcess, "ask", too_slow)
    with pytest.raises(GrammarRefusedError, match=r"0\.25 s to compile.*'enum' at #/properties/b"):
        await gate.check("alice", {"properties": {"a": {"type": "string"}, "b": {"enum": [1, 2, 3]}}})


async def test_a_lost_process_is_replaced(gate: GrammarGate) -> None:
    await gate.check("alice", OBJECT)
    (first,) = processes()
    os.kill(first, signal.SIGKILL)
    await gate.check("alice", {"type": "integer"})
    assert processes() != [first]


async def test_one_person_s_schemas_hold_up_nobody_else_s(gate: GrammarGate) -> None:
    """Alice's process is stopped in the middle, with more of hers behind it; Bob's schemas pass."""
    await gate.warm()
    for pid in processes():
        os.kill(pid, signal.SIGSTOP)
    hers = [
        asyncio.create_task(gate.check("alice", {"type": "integer", "minimum": number}))
        for number in range(20)
    ]
    await asyncio.sleep(0)
    for number in range(5):
        await gate.check("bob", {"type": "number", "minimum": number})
    assert not any(one.done() for one in hers)
    for pid in processes():
        os.kill(pid, signal.SIGCONT)
    await asyncio.gather(*hers)


async def test_whoever_leaves_takes_nobody_along(gate: GrammarGate) -> None:
    """Two requests wait for one check; one is stopped. Then both are, and the schema is asked for again."""
    first, second = [asyncio.create_task(gate.check("alice", OBJECT)) for _ in range(2)]
    await asyncio.sleep(0)
    first.cancel()
    await second
    blocking = asyncio.create_task(gate.check("alice", {"type": "string"}))
    waiting = asyncio.create_task(gate.check("alice", {"type": "null"}))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await gate.check("alice", {"type": "null"})
    await blocking


async def test_users_take_turns_for_slots() -> None:
    semaphore, order = FairSemaphore(1), []

    async def one(user: str) -> None:
        async with semaphore.slot_for(user):
            order.append(user)
            await asyncio.sleep(0)

    async with semaphore.slot_for("dave"):
        tasks = [asyncio.create_task(one(who)) for who in ["alice"] * 4 + ["bob"] * 2 + ["charlie"]]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == ["alice", "bob", "charlie", "alice", "bob", "alice", "alice"]


async def test_a_slot_granted_to_one_who_leaves_goes_on() -> None:
    semaphore = FairSemaphore(1)
    async with semaphore.slot_for("alice"):
        leaving = asyncio.create_task(semaphore.slot_for("bob").__aenter__())
        staying = asyncio.create_task(semaphore.slot_for("charlie").__aenter__())
        await asyncio.sleep(0)
    leaving.cancel()  # its slot was granted a moment ago
    async with asyncio.timeout(PATIENCE_S):
        await staying


async def test_only_so_many_verdicts_are_kept(gate: GrammarGate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammar_gate, "KEPT_VERDICTS", 2)
    asked = []

    async def passes(process: object, text: bytes) -> GrammarVerdict:
        asked.append(json.loads(text)["minimum"])
        return GrammarVerdict()

    monkeypatch.setattr(grammar_gate.GrammarProcess, "ask", passes)
    for minimum in (1, 2, 1, 3, 1, 2):
        await gate.check("alice", {"minimum": minimum})
    assert asked == [1, 2, 3, 2], "the one that was not asked for longest is forgotten"
