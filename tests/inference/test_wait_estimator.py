"""The estimates of waits: what they say with known rates, and how good they are in the benchmark's
scenarios."""

import pytest

from inference.scheduling.policy import Policy
from inference.scheduling.scheduler import Scheduler
from tests.inference.asking import ask, start_all
from tests.support.scenarios import flood, heavy_crowd, quick_overload


def steady(scheduler, now, until, tokens_per_answer=100, answer_s=10.0):
    """Serve one answer after the other at a steady rate, keeping the queue filled."""
    number = 0
    while now < until:
        scheduler.add(ask(f"w{number}", f"w{number}"), now)
        (started,) = start_all(scheduler, now)
        for _ in range(10):
            now += answer_s / 10
            scheduler.produced(started, tokens_per_answer // 10, now)
        scheduler.finish(started, now)
        number += 1
    return now


def test_nothing_is_estimated_before_anything_was_measured():
    scheduler = Scheduler(Policy(max_running=1, reserved_slots=0), 100_000)
    scheduler.add(ask("a", "a"), 0)
    scheduler.add(ask("b", "b"), 0)
    scheduler.schedule_next(0)
    assert [position.eta_s for position in scheduler.positions(0)] == [None]


def test_with_steady_answers_the_n_th_waits_n_answers():
    scheduler = Scheduler(Policy(max_running=1, reserved_slots=0), 100_000)
    now = steady(scheduler, 0.0, 600.0)
    for number in range(5):
        scheduler.add(ask(f"n{number}", f"n{number}", max_tokens=1_000), now)
    scheduler.schedule_next(now)
    scheduler.prefilled("n0", 400, 0)
    scheduler.produced("n0", 1, now + 0.1)
    waits = [position.eta_s for position in scheduler.positions(now + 0.1)]
    assert waits == pytest.approx([10, 20, 30, 40], rel=0.15)


def test_the_wait_shrinks_as_the_answer_before_proceeds():
    scheduler = Scheduler(Policy(max_running=1, reserved_slots=0), 100_000)
    now = steady(scheduler, 0.0, 600.0)
    scheduler.add(ask("runs", "r", max_tokens=1_000), now)
    start_all(scheduler, now)
    scheduler.add(ask("waits", "w"), now)
    estimated = []
    for _ in range(5):
        now += 1.0
        scheduler.produced("runs", 10, now)
        estimated.append(scheduler.positions(now)[0].eta_s)
    assert estimated == sorted(estimated, reverse=True)
    assert estimated[-1] == pytest.approx(5, abs=1.5)


def test_a_quick_request_may_expect_a_reserved_slot():
    scheduler = Scheduler(Policy(max_running=1, reserved_slots=1), 100_000)
    now = steady(scheduler, 0.0, 600.0)
    scheduler.add(ask("runs", "r", max_tokens=1_000), now)
    start_all(scheduler, now)
    scheduler.produced("runs", 1, now + 0.1)
    scheduler.add(ask("normal", "n"), now)
    scheduler.add(ask("quick", "q", "quick"), now)
    waits = {position.generation: position.eta_s for position in scheduler.positions(now + 0.1)}
    assert waits["quick"] < 1 < waits["normal"]


def check(forecast):
    assert forecast["waits"] > 100
    assert forecast["median_relative_error"] <= 0.30


def test_the_median_error_of_long_waits_is_at_most_30_percent():
    check(heavy_crowd(until_s=400, only=("ours",))["ours"]["forecast"])


@pytest.mark.proof
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_in_every_scenario_that_has_long_waits(seed):
    check(heavy_crowd(seed=seed, only=("ours",))["ours"]["forecast"])
    check(flood(seed=seed, max_running=62, only=("ours",))["ours"]["forecast"])
    check(quick_overload(seed=seed, only=("ours",))["ours"]["forecast"])


def test_who_is_beyond_a_cap_waits_for_the_room_that_others_are_left():
    """Four slots, of which a flooder may fill two: a third waits for an end, a newcomer does not."""
    policy = Policy(max_running=4, reserved_slots=0, user_running=1, beyond_cap_share=0.5)
    scheduler = Scheduler(policy, 100_000)
    now = steady(scheduler, 0.0, 600.0)
    scheduler.add(ask("other", "other", max_tokens=1_000), now)
    for number in range(4):
        scheduler.add(ask(f"f{number}", "flooder", max_tokens=1_000), now)
    for started in start_all(scheduler, now):
        scheduler.prefilled(started, 400, 0)
        scheduler.produced(started, 1, now + 0.1)
    scheduler.add(ask("new", "newcomer"), now + 0.1)
    waits = {position.generation: position.eta_s for position in scheduler.positions(now + 0.1)}
    assert waits["new"] == 0
    assert len(waits) > 2
    assert all(eta > 1 for name, eta in waits.items() if name != "new")
