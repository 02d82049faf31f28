"""The waiting requests of one class, by user: the least-served user and the longest wait.

Idea: every user has one live entry in one of two heaps (users under their caps, users at a cap), keyed
by counter. Counters grow without an update of the heap, so a stale top is put back at its present value; all
other changes make a new live entry, and dead ones are dropped when they reach the top. Both heaps are
rebuilt when more than half of them is dead, so a storm of cancellations costs no memory.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort

from inference.request import RequestClass
from inference.scheduling.policy import Policy
from inference.scheduling.running import RunningRequests
from inference.scheduling.token_counters import TokenCounters
from inference.scheduling.waiting import WaitingRequest

UserEntry = tuple[float, int, float, int, str]
"""(tag, running, since, seq, user): the smallest tag first; of equals, who runs less, whose turn is older."""

StarvedEntry = tuple[float, int, str]
"""(enqueued, seq, user)."""


def _arrival(waiting: WaitingRequest) -> tuple[float, int]:
    return waiting.arrival


class ClassQueue:
    """The queue of one class. O(log users) per change, amortised."""

    def __init__(
        self, kind: RequestClass, policy: Policy, running: RunningRequests, counters: TokenCounters
    ) -> None:
        self.kind = kind
        self.users: dict[str, list[WaitingRequest]] = {}
        self._policy = policy
        self._running = running
        self._counters = counters
        self._live: dict[str, UserEntry] = {}
        self._turns: dict[str, tuple[float, float]] = {}
        self._under: list[UserEntry] = []
        self._capped: list[UserEntry] = []
        self._starved: list[StarvedEntry] = []
        self._slack = policy.slack(kind)

    def add(self, waiting: WaitingRequest) -> None:
        """Add a request to its user's queue by arrival."""
        mine = self.users.setdefault(waiting.request.user, [])
        insort(mine, waiting, key=_arrival)
        if mine[0] is waiting:
            self._turns[waiting.request.user] = (waiting.level, waiting.enqueued)
            self._push(waiting.request.user)

    def remove(self, waiting: WaitingRequest, now: float) -> None:
        """Remove a request."""
        user = waiting.request.user
        mine = self.users[user]
        index = bisect_left(mine, waiting.arrival, key=_arrival)
        del mine[index]
        if not mine:
            del self.users[user]
            del self._live[user], self._turns[user]
        elif index == 0:
            self._turns[user] = (self._counters.floor, now)
            self._push(user)

    def update_user(self, user: str) -> None:
        """Re-rank a user whose running requests changed or whose counter fell."""
        if user in self.users:
            self._push(user)

    def least_served(self, *, capped: bool) -> WaitingRequest | None:
        """The oldest request of the user with the smallest counter, among those (not) at a cap."""
        heap = self._capped if capped else self._under
        while heap:
            entry = heap[0]
            user = entry[4]
            if self._live.get(user) is not entry:
                heapq.heappop(heap)
            elif entry[0] != self.tag(user):
                heapq.heappop(heap)
                self._push(user)
            else:
                return self.users[user][0]
        return None

    def longest_waiting(self) -> WaitingRequest | None:
        """The oldest request among the users who run nothing."""
        heap = self._starved
        while heap:
            _, seq, user = heap[0]
            mine = self.users.get(user)
            if mine and mine[0].seq == seq and user not in self._running.of_user:
                return mine[0]
            heapq.heappop(heap)
        return None

    def capped(self, user: str, head: WaitingRequest) -> bool:
        """Whether the user runs as much as the caps allow while others wait."""
        running, policy = self._running, self._policy
        limit = head.request.max_running or policy.user_running
        if running.of_user.get(user, 0) >= limit:
            return True
        return self.kind == "heavy" and running.heavy_of_user.get(user, 0) >= policy.user_heavy_running

    def in_fair_order(self, likely_output: float, without: set[int]) -> list[WaitingRequest]:
        """The requests in the order of VTC if nobody else came: by the tag that each will have once its
        user's earlier ones are charged, with outputs of a likely length."""
        policy = self._policy
        output_cost = policy.output_cost * likely_output
        floor = self._counters.floor
        tagged: list[tuple[float, int, float, int, WaitingRequest]] = []
        for user, mine in self.users.items():
            counter = self._counters.of(user) - self._slack
            level, since = self._turns[user]
            before = self._running.of_user.get(user, 0)
            for one in mine:
                if one.seq not in without:
                    tagged.append((max(level, counter), before, since, one.seq, one))
                level, since = floor, one.enqueued
                before += 1
                counter += (policy.prompt_cost * one.uncached_tokens + output_cost) / one.request.weight
        tagged.sort()
        return [entry[4] for entry in tagged]

    def tag(self, user: str) -> float:
        """The user's sort key: their counter less the slack, but at least the level of the least served when
        their turn began (when their oldest request came, or the one before it left). So within the slack
        users keep their position, and a backlog gains nothing by its age. (Start tags: Goyal et al.,
        "Start-time Fair Queuing", 1996.)"""
        return max(self._turns[user][0], self._counters.of(user) - self._slack)

    @property
    def heap_entries(self) -> int:
        """Live and dead entries of all heaps, for leak tests."""
        return len(self._under) + len(self._capped) + len(self._starved)

    def _push(self, user: str) -> None:
        head = self.users[user][0]
        running = self._running.of_user.get(user, 0)
        entry = (self.tag(user), running, self._turns[user][1], head.seq, user)
        self._live[user] = entry
        heapq.heappush(self._capped if self.capped(user, head) else self._under, entry)
        if not running:
            heapq.heappush(self._starved, (head.enqueued, head.seq, user))
        if self.heap_entries > 4 * len(self.users) + 64:
            self._rebuild()

    def _rebuild(self) -> None:
        self._under, self._capped, self._starved = [], [], []
        for user, mine in self.users.items():
            head = mine[0]
            running = self._running.of_user.get(user, 0)
            entry = (self.tag(user), running, self._turns[user][1], head.seq, user)
            self._live[user] = entry
            (self._capped if self.capped(user, head) else self._under).append(entry)
            if not running:
                self._starved.append((head.enqueued, head.seq, user))
        heapq.heapify(self._under)
        heapq.heapify(self._capped)
        heapq.heapify(self._starved)
