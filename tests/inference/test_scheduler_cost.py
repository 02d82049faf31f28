"""What the scheduler itself costs as its queue grows: ratios within one run, in processor time of one thread.

The sides take turns, and of all that is done again in each round the cheapest counts: what runs beside them
can only add. A crowd made anew does the same again, so a start that is dear stays so.
"""

import heapq
import random
import time
from statistics import median

import pytest

from inference.scheduling.policy import Policy
from inference.scheduling.scheduler import Scheduler
from tests.inference.asking import ask
from tests.support.scenarios import OPEN_DOORS

SHORT, LONG = 100, 10_000
ROUNDS = 5
STEPS = 200

START_GROWTH = 5
"""Of a queue 100 times as long: a heap's depth doubles, and what is in no cache costs as much again."""

START_HEAP_OPERATIONS = 150
"""Three times what it takes; one is a push and a pop on a heap of a thousand, a third of a microsecond."""

ORDER_GROWTH = 3
"""For each who waits, in a queue 10 times as long: sorting takes 4/3."""

ORDER_HEAP_OPERATIONS = 40
"""For each who waits: three times what it takes."""


class Crowd:
    """A scheduler with `waiting` requests of so many users in its queue; whoever starts is replaced."""

    def __init__(self, waiting, users):
        self.scheduler = Scheduler(Policy(max_running=62, **OPEN_DOORS), 200_000)
        self.running = []
        self._rng = random.Random(1)
        self._users = min(users, waiting)
        self._asked = 0
        for _ in range(waiting):
            self.ask()
        self.now = self._asked * 0.001

    def ask(self):
        kind = self._rng.choice(["quick", "normal", "heavy"])
        user = f"u{self._rng.randrange(self._users)}"
        self.scheduler.add(ask(f"g{self._asked}", user, kind), self._asked * 0.001)
        self._asked += 1

    def starts_ns(self, steps=STEPS):
        """CPU time of each start, while answers come and go."""
        spent = []
        for _ in range(steps):
            self.now += 0.02
            while True:
                began = time.thread_time_ns()
                request = self.scheduler.schedule_next(self.now)
                took = time.thread_time_ns() - began
                if request is None:
                    break
                spent.append(took)
                self.scheduler.prefilled(request.generation, request.prompt_tokens, 0)
                self.running.append(request.generation)
                self.ask()
            for generation in self.running:
                self.scheduler.produced(generation, 1, self.now)
            self.scheduler.finish(self.running.pop(0), self.now)
        return spent

    def order_ns(self):
        """CPU time of ordering the whole queue, per waiting request."""
        began = time.thread_time_ns()
        positions = self.scheduler.positions(self.now)
        return (time.thread_time_ns() - began) / len(positions)


def heap_operation_ns():
    """What this thread needs now for a push and a pop on a heap of a thousand: the measure of the others."""
    began = time.thread_time_ns()
    heap = []
    for number in range(1_000):
        heapq.heappush(heap, (number * 7_919 % 1_000, number))
    while heap:
        heapq.heappop(heap)
    return (time.thread_time_ns() - began) / 1_000


def p95(values):
    return sorted(values)[int(len(values) * 0.95)]


@pytest.mark.parametrize("users", [20, 3_000, LONG])
def test_a_start_costs_hardly_more_with_ten_thousand_waiting_than_with_a_hundred(users):
    rounds, unit = [], []
    for _ in range(ROUNDS):
        unit.append(heap_operation_ns())
        rounds.append((Crowd(SHORT, users).starts_ns(), Crowd(LONG, users).starts_ns()))
    short, long = (list(map(min, zip(*side, strict=True))) for side in zip(*rounds, strict=True))
    assert len(long) >= STEPS
    for figure in (median, p95):  # nor does it become dear now and then
        assert figure(long) < START_GROWTH * figure(short)
    assert median(long) < START_HEAP_OPERATIONS * min(unit)


def test_the_whole_queue_is_ordered_by_one_sort():
    """Positions are sent to all who wait every two seconds."""
    short, long, unit = [], [], []
    shorter, longer = Crowd(LONG // 10, 3_000), Crowd(LONG, 3_000)
    for crowd in (shorter, longer):
        crowd.starts_ns()
    for _ in range(ROUNDS):
        unit.append(heap_operation_ns())
        short.append(shorter.order_ns())
        long.append(longer.order_ns())
    assert min(long) < ORDER_GROWTH * min(short)
    assert min(long) < ORDER_HEAP_OPERATIONS * min(unit)
