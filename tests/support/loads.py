"""Populations for the simulation: people who think between answers, and requests that just arrive."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator

import msgspec

from tests.support.simulation import Trace
from tests.support.workload import Ask

Draw = Callable[[str, int], Ask]
"""(user, number) → what this user asks as their n-th request."""


class OpenLoop:
    """Requests that arrive whatever happens to the earlier ones."""

    def __init__(self, asks: Iterable[Ask]) -> None:
        self._asks = asks

    def begin(self) -> Iterable[Ask]:
        return self._asks

    def after(self, trace: Trace, now: float) -> Iterable[Ask]:
        return ()


class ClosedLoop:
    """Users who each keep `outstanding` requests going, thinking for `think_s` on average in between."""

    def __init__(
        self, users: Iterable[str], draw: Draw, *, think_s: float, seed: int, outstanding: int = 1
    ) -> None:
        self._users = tuple(users)
        self._draw = draw
        self._think_s = think_s
        self._seed = seed
        self._outstanding = outstanding
        self._asked: dict[str, int] = {}

    def begin(self) -> Iterator[Ask]:
        for user in self._users:
            for _ in range(self._outstanding):
                yield self._next(user, 0.0)

    def after(self, trace: Trace, now: float) -> Iterator[Ask]:
        yield self._next(trace.ask.user, now)

    def _next(self, user: str, now: float) -> Ask:
        number = self._asked.get(user, 0)
        self._asked[user] = number + 1
        rng = random.Random(f"{self._seed}/think/{user}/{number}")
        pause = rng.expovariate(1 / self._think_s) if self._think_s else 0.0
        return msgspec.structs.replace(self._draw(user, number), at_s=now + pause)


def arrivals(
    user_of: Callable[[int], str], draw: Draw, *, rate_per_s: float, until_s: float, seed: int
) -> OpenLoop:
    """Poisson arrivals, the n-th by `user_of(n)`."""
    rng = random.Random(f"{seed}/arrivals")
    asks: list[Ask] = []
    at_s = rng.expovariate(rate_per_s)
    while at_s < until_s:
        number = len(asks)
        asks.append(msgspec.structs.replace(draw(user_of(number), number), at_s=at_s))
        at_s += rng.expovariate(rate_per_s)
    return OpenLoop(asks)
