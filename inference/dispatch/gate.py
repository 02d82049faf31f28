"""The gate between queue and engine: closed while no engine serves, while paused or draining, or tripped."""

from __future__ import annotations

from typing import Literal

from inference.dispatch.supervisor import Supervisor
from inference.request import Request
from inference.scheduling.circuit_breaker import CircuitBreaker
from inference.scheduling.scheduler import Scheduler
from inference.status import EngineState

Pause = Literal["paused", "draining"]
"""Why nothing starts, as an administrator ordered it: for the moment, or for maintenance."""

SHORTEST_REFUSAL_S = 1.0
"""A newcomer who asks again sooner would be refused again: no engine starts faster."""


class Gate:
    """Decides whether a request may start, and reports why not. While it is closed, queue time stands still.

    After repeated engine failures the breaker lets a single request through first, the probe.
    """

    def __init__(self, scheduler: Scheduler, supervisor: Supervisor, breaker: CircuitBreaker) -> None:
        self._scheduler = scheduler
        self._supervisor = supervisor
        self._breaker = breaker
        self._probe: str | None = None
        self._pause: Pause | None = None
        self._ending = False

    def update(self, now: float, *, cache_lost: bool = False) -> None:
        """Close or open after a change of engine or order; `cache_lost` with a fresh engine."""
        if self._supervisor.ready and self._pause is None and not self._ending:
            self._scheduler.resume(now, cache_lost=cache_lost)
        else:
            self._scheduler.pause(now)

    def pause(self, why: Pause, now: float) -> None:
        self._pause = why
        self.update(now)

    def resume(self, now: float) -> None:
        self._pause = None
        self.update(now)

    def end(self, now: float) -> None:
        """Close for good: the process ends."""
        self._ending = True
        self.update(now)

    def schedule_next(self, now: float) -> Request | None:
        """The next request that may start now; call until None."""
        # A dead engine is still being closed: what is scheduled now would be queued again at once.
        if not self._supervisor.ready or not self._breaker.allow(now):
            return None
        request = self._scheduler.schedule_next(now)
        if request is None:
            self._breaker.abandoned(now)
        elif self._breaker.state(now) != "closed":
            self._probe = request.generation
        return request

    def served(self, now: float) -> None:
        """The engine made tokens."""
        self._breaker.succeeded(now)
        self._probe = None

    def failed(self, now: float) -> None:
        """The engine was lost, or did not start."""
        self._breaker.failed(now)
        self._probe = None
        self.update(now)

    def dropped(self, generation: str, now: float) -> None:
        """This request ended without evidence about the engine."""
        if generation == self._probe:
            self._probe = None
            self._breaker.abandoned(now)

    def refused_for_s(self, now: float) -> float | None:
        """How long new requests are refused, at least; None while they are accepted."""
        state = self._breaker.state(now)
        if state == "closed" or (state == "half_open" and self._supervisor.ready):
            return None
        return max(SHORTEST_REFUSAL_S, self._breaker.retry_after_s(now))

    def state(self, now: float) -> EngineState:
        """The engine's state as the status shows it."""
        if self._ending:
            return "draining"
        if self._breaker.state(now) == "open":
            return "failed"
        if self._pause and self._supervisor.ready:
            return self._pause
        return self._supervisor.state
