"""Virtual token counters: the service that each user has received, so that the least served goes first.

Source: Sheng et al., "Fairness in Serving Large Language Models" (VTC), OSDI 2024. A user's counter
grows by the cost of what is computed for them, divided by their weight. A user who starts to wait is
lifted to the smallest counter among those who wait already, so that nobody saves up idle time; when
nobody waits, to the counter of the one who waited last. We keep that level as a floor which never
falls; then a user who has nothing here and whose counter is not above the floor would be lifted to it
on return anyway, so forgetting them changes nothing.
"""

from __future__ import annotations

import heapq
import math


class TokenCounters:
    """One virtual token counter per user, over all classes. Operations are O(log users), amortised."""

    def __init__(self) -> None:
        self._value: dict[str, float] = {}
        self._waiting: dict[str, None] = {}
        self._lowest: list[tuple[float, str]] = []
        self._idle: list[tuple[float, str]] = []
        self._floor = 0.0

    def __len__(self) -> int:
        return len(self._value)

    def of(self, user: str) -> float:
        """The user's counter; the floor for unknown users."""
        return self._value.get(user, self._floor)

    @property
    def floor(self) -> float:
        """The level that users are lifted to; never falls."""
        self._raise_floor()
        return self._floor

    def activate(self, user: str) -> None:
        """The user starts to wait: lift their counter to the smallest of those who wait already."""
        if user in self._waiting:
            return
        self._raise_floor()
        self._value[user] = max(self._value.get(user, 0.0), self._floor)
        self._waiting[user] = None
        self._push_lowest(user)

    def deactivate(self, user: str) -> None:
        """The user waits for nothing any more. The last one to leave sets the level for the next."""
        if user not in self._waiting:
            return
        del self._waiting[user]
        if not self._waiting:
            self._floor = max(self._floor, self._value[user])
            self._lowest.clear()

    def charge(self, user: str, cost: float) -> None:
        """Add a cost in counter units (tokens × their price ÷ weight); a negative one is a correction."""
        value = self._value.get(user, self._floor) + cost
        self._value[user] = value if value > 0.0 else 0.0
        if cost < 0 and user in self._waiting:
            self._push_lowest(user)

    def retire(self, user: str) -> None:
        """The user has nothing waiting or running: forget them as soon as that changes nothing."""
        if user in self._value:
            heapq.heappush(self._idle, (self._value[user], user))
        if len(self._idle) > 2 * len(self._value) + 64:
            self._idle = [(value, name) for name, value in self._value.items() if name not in self._waiting]
            heapq.heapify(self._idle)
        while self._idle and self._idle[0][0] <= self._floor:
            _, gone = heapq.heappop(self._idle)
            if gone not in self._waiting and self._value.get(gone, math.inf) <= self._floor:
                del self._value[gone]

    @property
    def heap_entries(self) -> int:
        """Entries of the internal heaps, for leak tests."""
        return len(self._lowest) + len(self._idle)

    def _push_lowest(self, user: str) -> None:
        heapq.heappush(self._lowest, (self._value[user], user))
        if len(self._lowest) > 2 * len(self._waiting) + 64:
            self._lowest = [(self._value[name], name) for name in self._waiting]
            heapq.heapify(self._lowest)

    def _raise_floor(self) -> None:
        """Counters grow without an update of the heap, so a stale top is put back at its present value."""
        while self._lowest:
            value, user = self._lowest[0]
            if user not in self._waiting:
                heapq.heappop(self._lowest)
            elif value != self._value[user]:
                heapq.heapreplace(self._lowest, (self._value[user], user))
            else:
                self._floor = max(self._floor, value)
                return
