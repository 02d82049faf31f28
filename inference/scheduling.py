"""What the dispatcher asks of a scheduler: the order of the line, and who may run. Pure, time is an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from inference.request import Request, RequestClass


class TooLargeError(Exception):
    """The request could not run even on an empty engine; the message says why."""


class QueueFullError(Exception):
    """The line is full for this class or user; try again later."""


class Place(Protocol):
    """Where one waiting request stands. `position` from 1; `eta_s` None while no rate is known."""

    generation: str
    position: int
    request_class: RequestClass
    user: str
    eta_s: float | None


class Load(Protocol):
    """Waiting and running requests by class."""

    waiting: Mapping[str, int]
    running: Mapping[str, int]


class Scheduler(Protocol):
    """One line in front of one engine."""

    def add(self, request: Request, now: float) -> RequestClass:
        """Put a request in line. Raises QueueFullError, TooLargeError."""

    def pick(self, now: float) -> Request | None:
        """Move the next request from waiting to running; None when nobody may start now."""

    def prefilled(self, generation: str, prompt_tokens: int, cached_tokens: int) -> None:
        """Correct the provisional charge by what the engine really computed."""

    def produced(self, generation: str, new_tokens: int, now: float) -> None:
        """Charge output as it comes."""

    def finish(self, generation: str, now: float) -> None:
        """Forget a request, waiting or running; unknown ones are ignored."""

    def requeue(self, generation: str, now: float) -> None:
        """Move a running request back to its place in line."""

    def line(self, now: float) -> Sequence[Place]:
        """Everyone who waits, first first."""

    def expired(self, now: float) -> Sequence[tuple[str, str]]:
        """Requests over a deadline, each with the deadline's name."""

    def load(self) -> Load:
        """How many wait and run."""

    def retry_after_s(self, now: float) -> float | None:
        """When a refused newcomer would have a chance; None while the line is open."""

    def priority_of(self, generation: str) -> int:
        """The order in the engine's own queue; lower is sooner."""
