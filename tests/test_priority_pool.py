"""Urgent work goes first, everything is run once, and errors reach whoever asked."""

import threading

import pytest

from chatsite.priority_pool import PriorityPool
from tests.support.waiting import PATIENCE_S


def test_urgent_work_passes_what_waits():
    pool, gate, order = PriorityPool(1, "test"), threading.Event(), []
    pool.submit(gate.wait)
    calls = [pool.submit(lambda n=n: order.append(n)) for n in range(3)]
    calls.append(pool.submit(lambda: order.append("urgent"), urgent=True))
    gate.set()
    for call in calls:
        call.result(PATIENCE_S)
    pool.shutdown()
    assert order == ["urgent", 0, 1, 2]


def test_errors_and_cancelled_calls_stop_nothing():
    pool, gate = PriorityPool(1, "test"), threading.Event()
    pool.submit(gate.wait)
    cancelled = pool.submit(lambda: pytest.fail("it was cancelled"))
    assert cancelled.cancel()
    broken, whole = pool.submit(lambda: 1 / 0), pool.submit(lambda: 2)
    gate.set()
    with pytest.raises(ZeroDivisionError):
        broken.result(PATIENCE_S)
    assert whole.result(PATIENCE_S) == 2
    pool.shutdown()
