"""The simulated engine does what its timing says, and the policy holds its promises on it."""

import time

import msgspec
import pytest

from inference.engines.emulated.timing import PRESETS, Timing
from inference.scheduling.policy import Policy
from inference.scheduling.scheduler import Scheduler
from tests.support.loads import ClosedLoop, OpenLoop, arrivals
from tests.support.scenarios import (
    CARD,
    flood,
    heavy_crowd,
    large_conversation,
    quick_overload,
    reference_mix,
)
from tests.support.simulation import Simulation
from tests.support.workload import draw, sized

PLAIN = Timing(step_s=0.01, prefill_tokens_per_s=1_000, kv_tokens=100_000, step_budget=512)


def one(prompt_tokens, output_tokens, at_s=0.0, user="u-0"):
    ask = sized(1, user, 0, 100, 100)
    return msgspec.structs.replace(
        ask, prompt_tokens=prompt_tokens, output_tokens=output_tokens, at_s=at_s, user=user
    )


def simulate(asks, engine=PLAIN, until_s=1_000.0, **settings):
    simulation = Simulation(Scheduler(Policy(**settings), engine.kv_tokens), engine, [OpenLoop(asks)])
    return simulation.run(until_s)


def test_one_request_takes_its_prefill_and_its_steps():
    (trace,) = simulate([one(100, 11, at_s=5.0)])
    assert trace.ttft_s == pytest.approx(0.11)
    assert trace.whole_s == pytest.approx(0.11 + 10 * 0.01)
    assert trace.outcome == "stop"


def test_a_long_prompt_takes_several_chunks():
    (trace,) = simulate([one(1_000, 1)])
    assert trace.ttft_s == pytest.approx(2 * 0.01 + 1_000 * 0.001)


def test_what_does_not_fit_waits():
    first, second = simulate([one(10, 101), one(10, 11, user="u-1")], max_running=1, reserved_slots=0)
    assert second.started_s == pytest.approx(first.ended_s)


def test_leaping_over_steps_gives_the_same_times_as_one_by_one():
    asks = [one(50, 200, at_s=number * 0.7, user=f"u-{number}") for number in range(10)]
    spaced = [one(1, 1, at_s=number * 0.011, user="tick-0") for number in range(400)]
    calm = {trace.ask.user: trace.ended_s for trace in simulate(asks)}
    ticked = {trace.ask.user: trace.ended_s for trace in simulate(asks + spaced)}
    for user, ended in calm.items():
        assert ticked[user] == pytest.approx(ended, rel=0.12)


def test_an_expired_request_leaves_the_engine():
    traces = simulate([one(10, 40_000), one(10, 10)], max_running=1, reserved_slots=0, total_timeout_s=20)
    assert [trace.outcome for trace in traces] == ["timeout: total", "stop"]


def test_the_presets_decode_as_fast_as_was_measured_or_derived():
    cpu = PRESETS["embedded-cpu"]
    assert 1 / cpu.duration_s(0, 1, 0) == pytest.approx(30, rel=0.1)
    assert 32 / cpu.duration_s(0, 32, 0) == pytest.approx(245, rel=0.1)
    assert 1 / CARD.duration_s(0, 1, 500) == pytest.approx(180, rel=0.05)


def test_a_heavy_crowd_leaves_quick_requests_quick():
    """measures.md, scheduling (a): quick TTFT p95 ≤ 1/20 of FIFO, heavy P95 ≤ +10 %, throughput ≥ 98 %."""
    played = heavy_crowd(until_s=500, only=("fifo", "ours"))
    fifo, ours = played["fifo"], played["ours"]
    assert ours["classes"]["quick"]["ttft_p95_s"] <= fifo["classes"]["quick"]["ttft_p95_s"] / 20
    assert ours["classes"]["heavy"]["whole_p95_s"] <= 1.1 * fifo["classes"]["heavy"]["whole_p95_s"]
    assert ours["tokens_per_s"] >= 0.98 * fifo["tokens_per_s"]


def test_a_flood_leaves_light_users_light():
    """(b): light users' TTFT p95 ≤ 1.5 × without the flooder."""
    played = flood(until_s=150, warm_up_s=30, only=("ours",))
    flooded, calm = (played[side]["users"]["light"]["ttft_p95_s"] for side in ("ours", "ours, no flood"))
    assert flooded <= 1.5 * calm


def test_quick_overload_lets_heavy_through():
    """(c): no heavy request waits longer than 2τ and one service time."""
    played = quick_overload(until_s=190, warm_up_s=0, only=("ours",))["ours"]
    heavy = played["users"]["heavy"]
    assert heavy["answered"] > 5
    assert heavy["wait_max_s"] <= 2 * Policy().heavy_deadline_s + heavy["whole_mean_s"]


def test_a_large_conversation_leaves_light_users_light():
    """(e): light users' TTFT p95 ≤ 1.5 × without it, and it is answered again and again."""
    played = large_conversation(until_s=600, only=("ours",))
    ours = played["ours"]["users"]
    assert ours["light"]["ttft_p95_s"] <= 1.5 * played["ours, no large"]["users"]["light"]["ttft_p95_s"]
    assert ours["large"]["answered"] >= 5


@pytest.mark.proof
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_scenarios_at_length(seed):
    crowd = heavy_crowd(seed=seed)
    fifo, ours = crowd["fifo"], crowd["ours"]
    assert ours["classes"]["quick"]["ttft_p95_s"] <= fifo["classes"]["quick"]["ttft_p95_s"] / 20
    assert ours["classes"]["heavy"]["whole_p95_s"] <= 1.1 * fifo["classes"]["heavy"]["whole_p95_s"]
    assert ours["tokens_per_s"] >= 0.98 * fifo["tokens_per_s"]
    for max_running in (126, 62):
        played = flood(seed=seed, max_running=max_running, only=("ours",))
        flooded, calm = (played[side]["users"]["light"]["ttft_p95_s"] for side in ("ours", "ours, no flood"))
        assert flooded <= 1.5 * calm
    played = large_conversation(seed=seed, only=("ours",))
    beside, calm = (played[side]["users"]["light"]["ttft_p95_s"] for side in ("ours", "ours, no large"))
    assert beside <= 1.5 * calm
    assert played["ours"]["users"]["large"]["wait_max_s"] <= 3 * Policy().large_pause_s
    mix = reference_mix(seed=seed, think_s=3.0)
    assert mix["ours"]["all"]["failed"] == 0
    assert mix["ours"]["all"]["ttft_p95_s"] <= 1.05 * mix["fifo"]["all"]["ttft_p95_s"]


def a_day(rate_per_s, hours):
    """People with thoughts between, a nightly batch, at a rate that fills a quarter of a small card."""
    until_s = hours * 3_600.0
    people = arrivals(
        lambda n: f"user-{n % 200}",
        lambda user, n: draw(9, user, n),
        rate_per_s=rate_per_s,
        until_s=until_s,
        seed=9,
    )
    batch = ClosedLoop(["batch-0"], lambda user, n: sized(9, user, n, 3_000, 200), think_s=60.0, seed=9)
    engine = small_card()
    simulation = Simulation(Scheduler(Policy(max_running=14), engine.kv_tokens), engine, [people, batch])
    began = time.thread_time()
    traces = simulation.run(until_s)
    return traces, time.thread_time() - began


def small_card():
    return msgspec.structs.replace(CARD, kv_tokens=30_000, step_budget=512, prefill_chunk=256)


def test_an_hour_in_a_moment():
    traces, _ = a_day(0.3, 1)
    assert len(traces) > 900
    assert sum(trace.outcome == "stop" for trace in traces) >= len(traces) - 5


@pytest.mark.proof
def test_a_day_costs_as_much_as_its_hours():
    _, hour_s = a_day(0.3, 1)
    traces, day_s = a_day(0.3, 24)
    assert len(traces) > 24_000
    assert sum(trace.outcome == "stop" for trace in traces) >= len(traces) - 10
    assert day_s < 2 * 24 * hour_s
