"""In which order waiting requests start: the port, and the two orders that ours is measured against.

The scheduler owns admission (slots, KV tokens, one heavy prefill at a time) for all of them; an order
only says who is next. So a benchmark of two orders differs in order alone.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from inference.scheduling.counters import Counters
from inference.scheduling.policy import CLASSES, Policy
from inference.scheduling.running import Running, Verdict
from inference.scheduling.waiting import Waiting

Pick = tuple[Waiting, Verdict]


class Order(ABC):
    """Waiting requests in some order. The scheduler tells it of arrivals, leavers and changed users."""

    @abstractmethod
    def put(self, waiting: Waiting) -> None:
        """A request joins the line, at the place of its enqueue time."""

    @abstractmethod
    def drop(self, waiting: Waiting, now: float) -> None:
        """A request leaves the line (started, cancelled or expired)."""

    @abstractmethod
    def next(self, now: float) -> Pick | None:
        """Who starts now and in which kind of slot; None when nobody may. Does not change the line."""

    @abstractmethod
    def line(self, now: float) -> list[Waiting]:
        """Everybody who waits, in the order in which they are going to start."""

    def beyond(self, line: Sequence[Waiting]) -> list[bool]:
        """Which of the line will find their user beyond a cap, if nobody's runs end before."""
        return [False] * len(line)

    @abstractmethod
    def pause(self, now: float) -> None:
        """No engine serves from now on: who waits, waits for that."""

    def large_pause_s(self, now: float) -> float:
        """Seconds until a large request may start beside others; 0 when it may now."""
        return 0.0

    @abstractmethod
    def touch(self, user: str) -> None:
        """The user's running requests or counter changed."""


MakeOrder = Callable[[Policy, Running, Counters], Order]


class _Heaps(Order):
    """Requests in one heap per rank, lower ranks first; leavers are skipped lazily."""

    def __init__(self, policy: Policy, running: Running, counters: Counters) -> None:
        self._running = running
        self._heaps: list[list[tuple[float, int, Waiting]]] = [[] for _ in CLASSES]
        self._present: dict[str, Waiting] = {}

    @abstractmethod
    def rank(self, waiting: Waiting) -> int:
        """Which heap it goes to: lower ones are served first."""

    def put(self, waiting: Waiting) -> None:
        heapq.heappush(self._heaps[self.rank(waiting)], (*waiting.place, waiting))
        self._present[waiting.request.generation] = waiting

    def drop(self, waiting: Waiting, now: float) -> None:
        self._present.pop(waiting.request.generation, None)

    def next(self, now: float) -> Pick | None:
        """The head of the line. If it does not fit, everybody behind it waits too."""
        for heap in self._heaps:
            while heap and self._present.get(heap[0][2].request.generation) is not heap[0][2]:
                heapq.heappop(heap)
            if heap:
                head = heap[0][2]
                verdict = self._running.verdict(head)
                return (head, verdict) if verdict in ("general", "reserved") else None
        return None

    def line(self, now: float) -> list[Waiting]:
        return sorted(self._present.values(), key=lambda waiting: (self.rank(waiting), *waiting.place))

    def pause(self, now: float) -> None:
        """Nothing here depends on time."""

    def touch(self, user: str) -> None:
        """Nothing here depends on users."""


class Fifo(_Heaps):
    """First come, first served: what every server without a policy does."""

    def rank(self, waiting: Waiting) -> int:
        return 0


class StrictClasses(_Heaps):
    """Quick before normal before heavy, always: the reference's queue. Heavy may starve."""

    def rank(self, waiting: Waiting) -> int:
        return CLASSES.index(waiting.kind)
