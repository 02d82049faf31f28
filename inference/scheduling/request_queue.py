"""The request queue: its port, and the FIFO and strict-priority queues that ours is measured against.

The scheduler owns admission (slots, KV tokens, one heavy prefill at a time) for all of them; a queue only
says who is next. So a benchmark of two queues differs in order alone.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from inference.scheduling.policy import CLASSES, Policy
from inference.scheduling.running import Admission, RunningRequests
from inference.scheduling.token_counters import TokenCounters
from inference.scheduling.waiting import WaitingRequest

Selection = tuple[WaitingRequest, Admission]
"""The request that starts next, and the kind of slot it takes."""


class RequestQueue(ABC):
    """Waiting requests in some order. The scheduler reports arrivals, departures and changed users to it."""

    @abstractmethod
    def add(self, waiting: WaitingRequest) -> None:
        """Add a request, ordered by its enqueue time."""

    @abstractmethod
    def remove(self, waiting: WaitingRequest, now: float) -> None:
        """Remove a request (started, cancelled or expired)."""

    @abstractmethod
    def select_next(self, now: float) -> Selection | None:
        """Which request starts now and in which kind of slot; None when none may. Does not change the
        queue."""

    @abstractmethod
    def in_order(self, now: float) -> list[WaitingRequest]:
        """All waiting requests, in the expected order of service."""

    def over_cap(self, ordered: Sequence[WaitingRequest]) -> list[bool]:
        """Which of these requests will find their user beyond a cap, if no running request ends before."""
        return [False] * len(ordered)

    @abstractmethod
    def pause(self, now: float) -> None:
        """No engine serves from now on: waiting is nobody's fault."""

    def large_pause_s(self, now: float) -> float:
        """Seconds until a large request may start beside others; 0 when it may now."""
        return 0.0

    @property
    def heap_entries(self) -> int:
        """Entries of the internal heaps, for leak tests."""
        return 0

    @abstractmethod
    def update_user(self, user: str) -> None:
        """The user's running requests or counter changed."""


QueueFactory = Callable[[Policy, RunningRequests, TokenCounters], RequestQueue]


class _Heaps(RequestQueue):
    """Requests in one heap per rank, lower ranks first; removed ones are skipped lazily."""

    def __init__(self, policy: Policy, running: RunningRequests, counters: TokenCounters) -> None:
        self._running = running
        self._heaps: list[list[tuple[float, int, WaitingRequest]]] = [[] for _ in CLASSES]
        self._present: dict[str, WaitingRequest] = {}

    @property
    def heap_entries(self) -> int:
        return sum(map(len, self._heaps))

    @abstractmethod
    def rank(self, waiting: WaitingRequest) -> int:
        """Which heap it goes to: lower ones are served first."""

    def add(self, waiting: WaitingRequest) -> None:
        heapq.heappush(self._heaps[self.rank(waiting)], (*waiting.arrival, waiting))
        self._present[waiting.request.generation] = waiting

    def remove(self, waiting: WaitingRequest, now: float) -> None:
        self._present.pop(waiting.request.generation, None)

    def select_next(self, now: float) -> Selection | None:
        """The head of the queue. If it does not fit, everybody behind it waits too."""
        for heap in self._heaps:
            while heap and self._present.get(heap[0][2].request.generation) is not heap[0][2]:
                heapq.heappop(heap)
            if heap:
                head = heap[0][2]
                admission = self._running.admission(head)
                return (head, admission) if admission in ("general", "reserved") else None
        return None

    def in_order(self, now: float) -> list[WaitingRequest]:
        return sorted(self._present.values(), key=lambda waiting: (self.rank(waiting), *waiting.arrival))

    def pause(self, now: float) -> None:
        """Nothing here depends on time."""

    def update_user(self, user: str) -> None:
        """Nothing here depends on users."""


class FifoQueue(_Heaps):
    """First come, first served, as servers without a policy do."""

    def rank(self, waiting: WaitingRequest) -> int:
        return 0


class StrictPriorityQueue(_Heaps):
    """Quick before normal before heavy, always (docs/references.md). Heavy requests may starve."""

    def rank(self, waiting: WaitingRequest) -> int:
        return CLASSES.index(waiting.kind)
