"""No test has less patience than tests/support/waiting.py; none compares a clock with a number of seconds."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest

from tests.support.source import ROOT

CLOCKS = {
    "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns",
    "process_time", "process_time_ns", "thread_time", "thread_time_ns",
}  # fmt: skip

MODULES = sorted((ROOT / "tests").rglob("*.py"))


def impatient(source: str) -> Iterator[int]:
    """Lines that wait for a number of seconds, or judge one; what waits for nothing says less."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and any(is_number(limit, least=1) for limit in limits(node)):
            yield node.lineno
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(map(reads_a_clock, sides)) and any(map(is_number, sides)):
                yield node.lineno


def limits(call: ast.Call) -> list[ast.expr]:
    given = [keyword.value for keyword in call.keywords if keyword.arg in ("timeout", "timeout_s")]
    match ast.unparse(call.func):
        case "asyncio.timeout":
            return [*given, *call.args]
        case "asyncio.wait_for":
            return [*given, *call.args[1:]]
    return given


def is_number(node: ast.expr, least: float = -inf) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value >= least


def reads_a_clock(node: ast.expr) -> bool:
    calls = (one for one in ast.walk(node) if isinstance(one, ast.Call))
    return any(ast.unparse(call.func).rpartition(".")[2] in CLOCKS for call in calls)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_bounds_a_time(path: Path) -> None:
    assert list(impatient(path.read_text())) == [], (
        "wait tests.support.waiting.PATIENCE_S; make a cost a ratio"
    )


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("await asyncio.wait_for(answer, 5)", [1]),
        ("async with asyncio.timeout(30): pass", [1]),
        ("httpx.get(address, timeout=10)", [1]),
        ("\nassert time.monotonic() - began < 2", [2]),
        ("assert 0.2 > time.thread_time() - began", [1]),
        ("await asyncio.wait_for(answer, PATIENCE_S)", []),
        ("await asyncio.wait([task], timeout=0.3)", []),
        ("assert long < 5 * short", []),
    ],
)
def test_the_rule_sees_what_it_forbids(source: str, lines: list[int]) -> None:
    assert list(impatient(source)) == lines
