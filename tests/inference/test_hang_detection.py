"""Hung or starved: judged by a virtual clock over engines that are stopped, starved, slow and spinning."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inference.dispatch.hang_detection import PATIENCE, HangDetector
from inference.engines.base import EngineStats

GRACE_S, CHECKS = 20.0, 8
EVERY_S = GRACE_S / CHECKS

Figures = Callable[[float], float]
"""Of the time: steps so far, or seconds of CPU time so far."""


def found_after_s(
    steps: Figures, cpu_time_s: Figures | None, *, busy: bool = True, until_s: float = 3_600, late: float = 1
) -> float | None:
    """When the engine is found to hang; None: not within an hour. `late` stretches our own checks."""
    detector, now = HangDetector(CHECKS, EVERY_S), 0.0
    while now < until_s:
        now += EVERY_S * late
        told = cpu_time_s(now) if cpu_time_s is not None else None
        if detector.check(EngineStats(steps=int(steps(now)), running=1), busy=busy, cpu_time_s=told):
            return now
    return None


def stepping_every(step_s: float, until_s: float = float("inf")) -> Figures:
    return lambda now: min(now, until_s) // step_s


def working(share: float, until_s: float = float("inf")) -> Figures:
    return lambda now: share * min(now, until_s)


@pytest.mark.parametrize("cpu_time_s", [None, working(1.0), working(0.0)])
def test_an_engine_that_steps_never_hangs(cpu_time_s: Figures | None) -> None:
    assert found_after_s(stepping_every(0.5), cpu_time_s) is None


def test_a_stopped_engine_is_found_within_a_grace_period() -> None:
    """SIGSTOP in the middle of its work: neither steps nor CPU time from then on."""
    found = found_after_s(stepping_every(0.5, until_s=100), working(1.8, until_s=100))
    assert found == pytest.approx(100 + GRACE_S, abs=2 * EVERY_S)


def test_one_that_cannot_tell_its_cpu_time_is_judged_by_its_steps() -> None:
    found = found_after_s(stepping_every(0.5, until_s=100), None)
    assert found == pytest.approx(100 + GRACE_S, abs=2 * EVERY_S)


@pytest.mark.parametrize("share", [0.1, 1.0, 30.0])
def test_a_starved_engine_is_left_to_work(share: float) -> None:
    """A step takes 90 s where it took half a second, and its threads stand in line all the while."""
    assert found_after_s(stepping_every(90), working(share)) is None


def test_idle_threads_that_only_wake_to_poll_do_not_count() -> None:
    """A deadlock: a thread that polls ten times a second uses a thousandth of a processor."""
    found = found_after_s(stepping_every(0.5, until_s=100), working(0.001))
    assert found == pytest.approx(100 + GRACE_S, abs=2 * EVERY_S)


def test_a_spinning_engine_is_found_in_bounded_time() -> None:
    found = found_after_s(stepping_every(0.5, until_s=100), working(1.0))
    assert found == pytest.approx(100 + PATIENCE * GRACE_S, abs=2 * EVERY_S)


def test_a_starved_engine_that_is_then_stopped_is_found_in_bounded_time() -> None:
    """Its steps were slow, so the grace has grown; but it is still found before patience ends."""
    found = found_after_s(stepping_every(18, until_s=200), working(1.0, until_s=200))
    assert found is not None
    assert 200 + GRACE_S < found <= 200 + PATIENCE * GRACE_S


def test_slow_steps_of_an_engine_that_cannot_tell_its_cpu_time_stretch_the_grace() -> None:
    """A batch that grows slows its steps from 10 s to 28 s: each is below three times those before."""
    slow = lambda now: now // 10 if now < 100 else 10 + (now - 100) // 28  # noqa: E731
    assert found_after_s(slow, None) is None


def test_an_idle_engine_does_not_hang() -> None:
    assert found_after_s(lambda now: 0, None, busy=False) is None


def test_looks_that_come_late_do_not_blame_the_engine() -> None:
    """This process gets a tenth of its turns: it saw eight looks' worth of nothing only after ten graces."""
    found = found_after_s(stepping_every(0.5, until_s=10), None, late=10)
    assert found is not None
    assert found > 10 * GRACE_S
