"""The circuit breaker: closed, open, half-open."""

import pytest

from inference.scheduling.circuit_breaker import CircuitBreaker


def opened(at=0.0):
    breaker = CircuitBreaker(failures=3, open_s=5.0, longest_open_s=20.0)
    for _ in range(3):
        breaker.failed(at)
    return breaker


def test_it_lets_everybody_pass_while_closed():
    breaker = CircuitBreaker(failures=3)
    breaker.failed(0)
    breaker.failed(0)
    assert breaker.state(0) == "closed"
    assert breaker.allow(0)


def test_a_success_forgets_the_failures_before_it():
    breaker = CircuitBreaker(failures=2)
    breaker.failed(0)
    breaker.succeeded(1)
    breaker.failed(2)
    assert breaker.state(2) == "closed"


def test_it_opens_after_failures_in_a_row_and_says_for_how_long():
    breaker = opened()
    assert breaker.state(1) == "open"
    assert not breaker.allow(1)
    assert breaker.retry_after_s(1) == 4.0


def test_one_probe_passes_when_its_time_is_over():
    breaker = opened()
    assert breaker.state(5) == "half_open"
    assert breaker.allow(5)
    assert not breaker.allow(5)


def test_a_good_probe_closes_it():
    breaker = opened()
    breaker.allow(5)
    breaker.succeeded(6)
    assert breaker.state(6) == "closed"
    assert breaker.retry_after_s(6) == 0.0


def test_a_bad_probe_opens_it_for_twice_as_long_up_to_a_limit():
    breaker, now, waits = opened(), 0.0, []
    for _ in range(4):
        waits.append(breaker.retry_after_s(now))
        now += breaker.retry_after_s(now)
        assert breaker.allow(now)
        breaker.failed(now)
    assert waits == [5, 10, 20, 20]


def test_late_failures_of_others_do_not_prolong_it():
    breaker = opened()
    breaker.failed(4)
    assert breaker.retry_after_s(4) == 1.0


def test_an_abandoned_probe_makes_room_for_another():
    breaker = opened()
    breaker.allow(5)
    breaker.abandoned(6)
    assert breaker.allow(6)


@pytest.mark.parametrize("bad", [{"failures": 0}, {"open_s": 0}, {"open_s": 90}])
def test_a_bad_setting_is_named(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        CircuitBreaker(**bad)
