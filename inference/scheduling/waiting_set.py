"""Everybody in line, counted: by class, by user, in tokens; and who has waited too long."""

from __future__ import annotations

import heapq

from inference.request import RequestClass
from inference.scheduling.policy import CLASSES
from inference.scheduling.waiting import Waiting


class WaitingSet:
    """The waiting requests by generation. Their order is another object's matter."""

    def __init__(self) -> None:
        self.of_generation: dict[str, Waiting] = {}
        self.of_class: dict[RequestClass, int] = dict.fromkeys(CLASSES, 0)
        self.of_user: dict[str, int] = {}
        self.uncached_tokens = 0
        self._expiries: list[tuple[float, int, Waiting]] = []

    def __len__(self) -> int:
        return len(self.of_generation)

    def put(self, waiting: Waiting) -> None:
        """A request joins."""
        user = waiting.request.user
        self.of_generation[waiting.request.generation] = waiting
        self.of_class[waiting.kind] += 1
        self.of_user[user] = self.of_user.get(user, 0) + 1
        self.uncached_tokens += waiting.uncached_tokens
        heapq.heappush(self._expiries, (waiting.expires, waiting.seq, waiting))
        if len(self._expiries) > 2 * len(self.of_generation) + 64:
            self._expiries = [(one.expires, one.seq, one) for one in self.of_generation.values()]
            heapq.heapify(self._expiries)

    def take(self, generation: str) -> Waiting | None:
        """A request leaves; None if it does not wait."""
        waiting = self.of_generation.pop(generation, None)
        if waiting is None:
            return None
        user = waiting.request.user
        self.of_class[waiting.kind] -= 1
        self.uncached_tokens -= waiting.uncached_tokens
        if self.of_user[user] == 1:
            del self.of_user[user]
        else:
            self.of_user[user] -= 1
        return waiting

    def expired(self, clock: float) -> list[Waiting]:
        """Requests whose time in line is up on the service clock. They stay until they are taken."""
        late: dict[int, Waiting] = {}
        while self._expiries and self._expiries[0][0] <= clock:
            _, seq, waiting = heapq.heappop(self._expiries)
            if self.of_generation.get(waiting.request.generation) is waiting:
                late[seq] = waiting
        for seq, waiting in late.items():
            heapq.heappush(self._expiries, (waiting.expires, seq, waiting))
        return list(late.values())
