"""Large requests make others wait for a share of the time, and no longer pause than the longest."""

import pytest

from inference.scheduling.fair_queue import LargeRequestThrottle


def kept_waiting(throttle, start, end):
    throttle.advance(start)
    throttle.set_others_wait(True)
    throttle.advance(end)
    throttle.set_others_wait(False)


def test_a_second_of_waiting_is_a_pause_of_nineteen():
    throttle = LargeRequestThrottle(0.05, 300.0)
    assert throttle.pause_s == 0
    kept_waiting(throttle, 10.0, 11.0)
    assert throttle.pause_s == pytest.approx(19.0)
    throttle.advance(29.0)
    assert throttle.pause_s == pytest.approx(1.0)
    throttle.advance(31.0)
    assert throttle.pause_s == 0


def test_the_pause_is_bounded():
    throttle = LargeRequestThrottle(0.05, 300.0)
    kept_waiting(throttle, 0.0, 3_600.0)
    assert throttle.pause_s == pytest.approx(300.0)


def test_time_in_which_nobody_waits_saves_nothing_up():
    throttle = LargeRequestThrottle(0.5, 300.0)
    throttle.advance(0.0)
    throttle.advance(1_000.0)
    kept_waiting(throttle, 1_000.0, 1_004.0)
    assert throttle.pause_s == pytest.approx(4.0)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_over_a_long_time_others_wait_for_the_share(share):
    """A large request that comes as soon as it may and keeps others waiting for seven seconds."""
    throttle, now, waited = LargeRequestThrottle(share, 1e9), 0.0, 0.0
    while now < 10_000.0:
        kept_waiting(throttle, now, now + 7.0)
        now, waited = now + 7.0 + throttle.pause_s, waited + 7.0
    assert waited / now == pytest.approx(share, rel=0.05)
