"""Large requests make others wait for a share of the time, and no longer pause than the longest."""

import pytest

from inference.scheduling.ration import Ration


def kept_waiting(ration, start, end):
    ration.look(start)
    ration.tell(others_wait=True)
    ration.look(end)
    ration.tell(others_wait=False)


def test_a_second_of_waiting_is_a_pause_of_nineteen():
    ration = Ration(0.05, 300.0)
    assert ration.pause_s == 0
    kept_waiting(ration, 10.0, 11.0)
    assert ration.pause_s == pytest.approx(19.0)
    ration.look(29.0)
    assert ration.pause_s == pytest.approx(1.0)
    ration.look(31.0)
    assert ration.pause_s == 0


def test_the_pause_is_bounded():
    ration = Ration(0.05, 300.0)
    kept_waiting(ration, 0.0, 3_600.0)
    assert ration.pause_s == pytest.approx(300.0)


def test_time_in_which_nobody_waits_saves_nothing_up():
    ration = Ration(0.5, 300.0)
    ration.look(0.0)
    ration.look(1_000.0)
    kept_waiting(ration, 1_000.0, 1_004.0)
    assert ration.pause_s == pytest.approx(4.0)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_over_a_long_time_others_wait_for_the_share(share):
    """A large request that comes as soon as it may and keeps others waiting for seven seconds."""
    ration, now, waited = Ration(share, 1e9), 0.0, 0.0
    while now < 10_000.0:
        kept_waiting(ration, now, now + 7.0)
        now, waited = now + 7.0 + ration.pause_s, waited + 7.0
    assert waited / now == pytest.approx(share, rel=0.05)
