"""The search finds the smallest K at the plateau: on tables, and on an engine whose plateau is known."""

from __future__ import annotations

import asyncio
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from inference.engines.emulated.engine import EmulatedEngine, EmulatedSettings
from inference.engines.emulated.timing import Timing
from inference.tune import (
    PLATEAU_SHARE,
    ConcurrencyLevel,
    TuneError,
    TuneWorkload,
    concurrency_levels,
    is_flat,
    next_bisection,
    smallest_at_plateau,
    tune,
)
from tests.support.virtual_time import run_virtually

FAST = {
    "CHATSITE_ENGINE": "emulated",
    "CHATSITE_EMULATED_STEP_S": "0.005",
    "CHATSITE_EMULATED_MAX_RUNNING": "8",
    "CHATSITE_EMULATED_ANSWER_TOKENS": "0",
}


def table(**rates: float) -> list[ConcurrencyLevel]:
    return [ConcurrencyLevel(int(name[1:]), rate, 0.1) for name, rate in rates.items()]


def test_the_smallest_level_at_the_plateau_is_chosen():
    assert smallest_at_plateau(table(n1=10, n2=97.9, n4=98, n8=100, n16=99)).requests == 4


@given(
    st.lists(st.tuples(st.integers(1, 500), st.floats(0.1, 1e6)), min_size=1, unique_by=lambda pair: pair[0])
)
def test_whatever_was_measured_the_choice_is_at_the_plateau_and_nothing_smaller_is(pairs):
    levels = [ConcurrencyLevel(requests, rate, 0.0) for requests, rate in pairs]
    best = max(level.tokens_per_s for level in levels)
    chosen = smallest_at_plateau(levels)
    assert chosen.tokens_per_s >= PLATEAU_SHARE * best
    assert all(
        level.tokens_per_s < PLATEAU_SHARE * best for level in levels if level.requests < chosen.requests
    )


def test_levels_rise_to_the_top():
    assert concurrency_levels(64) == [1, 2, 4, 8, 12, 16, 24, 32, 48, 64]
    assert concurrency_levels(5) == [1, 2, 4, 5]
    assert concurrency_levels(1) == [1]


def test_two_levels_without_gain_are_flat_and_one_is_not():
    assert is_flat(table(n1=50, n2=100, n4=100.5, n8=99))
    assert not is_flat(table(n1=50, n2=100, n4=100.5))
    assert not is_flat(table(n1=50, n2=100, n4=100, n8=110))


def test_the_gap_below_is_bisected_until_it_is_an_eighth():
    levels = table(n8=50, n16=90, n32=100)
    assert next_bisection(levels) == 24
    levels += table(n24=97)
    assert next_bisection(levels) == 28
    levels += table(n28=99)
    assert next_bisection(levels) == 26
    levels += table(n26=97.5)
    assert next_bisection(levels) is None
    assert next_bisection(table(n1=100, n2=100)) is None


@pytest.mark.usefixtures("virtual_time")
async def test_an_engine_with_eight_slots_has_its_plateau_there():
    timing = Timing(step_s=0.005, max_running=8)
    engine = EmulatedEngine(EmulatedSettings(timing=timing, answer_tokens=0))
    await engine.start(lambda *_: None)
    levels = await tune(engine, TuneWorkload(prompt_tokens=5, answer_tokens=400, seconds=0.5), top=16)
    await engine.close()
    assert smallest_at_plateau(levels).requests == 8
    (eight,) = [level for level in levels if level.requests == 8]
    assert eight.tokens_per_s == pytest.approx(8 / 0.005, rel=0.01)


@pytest.mark.usefixtures("virtual_time")
async def test_a_dead_engine_ends_the_search():
    engine = EmulatedEngine(EmulatedSettings(timing=Timing(step_s=0.005)))
    await engine.start(lambda *_: None)

    def die(level: ConcurrencyLevel) -> None:
        engine.die()

    with pytest.raises(TuneError, match="engine"):
        await tune(engine, TuneWorkload(prompt_tokens=5, answer_tokens=50, seconds=0.2), top=4, on_level=die)
    await engine.close()


def test_the_command_says_what_to_set(monkeypatch):
    monkeypatch.setattr(asyncio, "run", run_virtually)
    for name, value in FAST.items():
        monkeypatch.setenv(name, value)
    out = StringIO()
    call_command("tune", "--top=8", "--seconds=0.2", "--prompt-tokens=5", "--answer-tokens=200", stdout=out)
    said = out.getvalue()
    assert "CHATSITE_MAX_RUNNING=" in said
    assert "CHATSITE_EMULATED_MAX_RUNNING=" in said
    assert "emulated" in said


@pytest.mark.parametrize("wrong", ["--top=0", "--seconds=0", "--answer-tokens=-1"])
def test_impossible_arguments_are_named(wrong):
    with pytest.raises(CommandError, match=wrong.partition("=")[0]):
        call_command("tune", wrong, stdout=StringIO())


def test_a_wrong_setting_is_a_plain_error(monkeypatch):
    monkeypatch.setenv("CHATSITE_ENGINE", "remote")
    monkeypatch.delenv("CHATSITE_REMOTE_URLS", raising=False)
    with pytest.raises(CommandError, match="CHATSITE_REMOTE_URLS"):
        call_command("tune", stdout=StringIO())
