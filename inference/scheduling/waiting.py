"""Waiting requests: one with its deadlines, all of them with counts, and the clock that their deadlines run
on."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from inference.request import Request, RequestClass
from inference.scheduling.policy import CLASSES


@dataclass(slots=True, frozen=True, eq=False)
class WaitingRequest:
    """One waiting request.

    `enqueued` is when it came (time waited before this process counts), `deadline` = enqueued + τ orders it,
    `ageing` is when it may go first, `expires` is the latest first token on the scheduler's
    service clock (which stands still while no engine serves). `uncached_tokens` is the expected prefill,
    `large` says that the prompt fills much of the KV budget, `level` is the counter of the least-served user
    when it came.
    """

    request: Request
    kind: RequestClass
    seq: int
    enqueued: float
    deadline: float
    ageing: float
    expires: float
    uncached_tokens: int
    large: bool = False
    level: float = 0.0

    @property
    def arrival(self) -> tuple[float, int]:
        """Sort key of one user's requests: first come, first served; `seq` breaks ties."""
        return (self.enqueued, self.seq)


class WaitingRequests:
    """All waiting requests, counted by class and user. Their order is the RequestQueue's."""

    def __init__(self) -> None:
        self.requests: dict[str, WaitingRequest] = {}
        self.of_class: dict[RequestClass, int] = dict.fromkeys(CLASSES, 0)
        self.of_user: dict[str, int] = {}
        self.uncached_tokens = 0
        self._expiries: list[tuple[float, int, WaitingRequest]] = []

    def __len__(self) -> int:
        return len(self.requests)

    def add(self, waiting: WaitingRequest) -> None:
        """Add a request."""
        user = waiting.request.user
        self.requests[waiting.request.generation] = waiting
        self.of_class[waiting.kind] += 1
        self.of_user[user] = self.of_user.get(user, 0) + 1
        self.uncached_tokens += waiting.uncached_tokens
        heapq.heappush(self._expiries, (waiting.expires, waiting.seq, waiting))
        if len(self._expiries) > 2 * len(self.requests) + 64:
            self._expiries = [(one.expires, one.seq, one) for one in self.requests.values()]
            heapq.heapify(self._expiries)

    def remove(self, generation: str) -> WaitingRequest | None:
        """Remove a request; None if it does not wait."""
        waiting = self.requests.pop(generation, None)
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

    @property
    def heap_entries(self) -> int:
        """Live and dead entries of the heap of deadlines, for leak tests."""
        return len(self._expiries)

    def expired(self, clock: float) -> list[WaitingRequest]:
        """Requests past their deadline on the service clock. They stay until they are removed."""
        late: dict[int, WaitingRequest] = {}
        while self._expiries and self._expiries[0][0] <= clock:
            _, seq, waiting = heapq.heappop(self._expiries)
            if self.requests.get(waiting.request.generation) is waiting:
                late[seq] = waiting
        for seq, waiting in late.items():
            heapq.heappush(self._expiries, (waiting.expires, seq, waiting))
        return list(late.values())


class ServiceClock:
    """A clock that stands still while no engine serves, so that an outage uses up nobody's deadline."""

    def __init__(self) -> None:
        self._paused_at: float | None = None
        self._lost_s = 0.0

    @property
    def paused(self) -> bool:
        return self._paused_at is not None

    def pause(self, now: float) -> None:
        """Stop the clock. Pausing twice is pausing once."""
        if self._paused_at is None:
            self._paused_at = now

    def resume(self, now: float) -> None:
        """Run on from where it stopped."""
        if self._paused_at is not None:
            self._lost_s += now - self._paused_at
            self._paused_at = None

    def at(self, now: float) -> float:
        """Service time at a moment of the monotonic clock."""
        return (now if self._paused_at is None else self._paused_at) - self._lost_s
