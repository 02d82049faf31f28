"""Which server gets a request: the least loaded, unless the conversation's prefix lies in another's cache.

A turn that goes back to the server of the turn before finds its prompt computed. That is worth some requests
of difference in load, not any: a server that is clearly fuller than the least loaded one lets the
conversation go, and it then belongs to the new one. Pure; no clock, no I/O.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

SLACK_REQUESTS = 4
"""A difference in load that nobody feels: four requests more in a batch of continuous batching."""

SLACK_SHARE = 0.25
"""And on busy servers a quarter, since what a step costs grows with what is in it."""

REMEMBERED = 20_000
"""Conversations whose server is remembered: a few megabytes, and more prefixes than any cache holds."""


class Routing:
    """Remembers where each conversation ran last."""

    def __init__(self) -> None:
        self._homes: OrderedDict[str, str] = OrderedDict()
        self._turn = 0
        self._last_turn: dict[str, int] = {}

    def choose(self, loads: Mapping[str, int], affinity: str = "") -> str | None:
        """One of `loads` (server → requests it has); None when there is none.

        `affinity` is the conversation, "" for none. Servers of equal load take turns.
        """
        if not loads:
            return None
        chosen = min(loads, key=lambda server: (loads[server], self._last_turn.get(server, 0)))
        home = self._homes.get(affinity)
        if home is not None and home in loads and loads[home] <= loads[chosen] + allowance(loads[chosen]):
            chosen = home
        self._turn += 1
        self._last_turn[chosen] = self._turn
        self._remember(affinity, chosen)
        return chosen

    def _remember(self, affinity: str, server: str) -> None:
        if not affinity:
            return
        self._homes[affinity] = server
        self._homes.move_to_end(affinity)
        if len(self._homes) > REMEMBERED:
            self._homes.popitem(last=False)


def allowance(least_load: int) -> int:
    """How many requests more than the least loaded server a conversation's own one may have."""
    return max(SLACK_REQUESTS, int(least_load * SLACK_SHARE))
