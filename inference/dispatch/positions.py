"""Positions: who hears where they stand in line, and when."""

from __future__ import annotations

from collections.abc import Iterable

from inference.scheduling.load import Place
from inference.stream_log.base import Queued

TELL_S = 2.0
"""Between two notices to one person: often enough to feel served, seldom enough to read."""

LOOK_S = 0.25
"""Between two looks at a short line: a newcomer learns the place before wondering."""

LONG_LINE = 200
"""Waiting requests above which the line, which costs time to order, is looked at every `TELL_S` only."""


class Positions:
    """Remembers what each waiting generation was told last, and yields only the news."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[float, Queued]] = {}
        self._next_look = 0.0

    def due(self, now: float) -> bool:
        """Whether the line should be looked at."""
        return now >= self._next_look

    def news(self, line: Iterable[Place], now: float) -> dict[str, Queued]:
        """The notices to send for this line: newcomers at once, changes at most every `TELL_S`."""
        told, news = {}, {}
        for place in line:
            eta_s = None if place.eta_s is None else round(place.eta_s, 1)
            notice = Queued(position=place.position, eta_s=eta_s)
            at, before = self._told.get(place.generation, (-TELL_S, None))
            if before is None or (notice != before and now - at >= TELL_S):
                at, before = now, notice
                news[place.generation] = notice
            told[place.generation] = (at, before)
        self._told = told
        self._next_look = now + (TELL_S if len(told) > LONG_LINE else LOOK_S)
        return news
