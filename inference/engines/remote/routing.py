"""Prefix-aware routing: a request goes to the server that has its conversation cached, else to the least
loaded.

The next turn of a conversation finds its prompt in the prefix cache of the same server. That is worth some
difference in load: a server that is clearly fuller than the least loaded one loses the conversation to it.
Pure; no clock, no I/O.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

SLACK_REQUESTS = 4
"""A difference in load that nobody feels: four requests more in a batch of continuous batching."""

SLACK_SHARE = 0.25
"""And on busy servers a quarter, since what a step costs grows with what is in it."""

KEPT_CONVERSATIONS = 20_000
"""Conversations whose server is remembered: a few megabytes, and more prefixes than any cache holds."""


class AffinityRouter:
    """Chooses servers by load and by where each conversation ran last."""

    def __init__(self) -> None:
        self._servers: OrderedDict[str, str] = OrderedDict()
        self._seq = 0
        self._last_used: dict[str, int] = {}

    def choose(self, loads: Mapping[str, int], affinity: str = "") -> str | None:
        """One of `loads` (server → its requests); None when there is none.

        `affinity` is the conversation, "" for none. Servers of equal load take turns.
        """
        if not loads:
            return None
        chosen = min(loads, key=lambda server: (loads[server], self._last_used.get(server, 0)))
        previous = self._servers.get(affinity)
        if (
            previous is not None
            and previous in loads
            and loads[previous] <= loads[chosen] + allowance(loads[chosen])
        ):
            chosen = previous
        self._seq += 1
        self._last_used[chosen] = self._seq
        self._remember(affinity, chosen)
        return chosen

    def _remember(self, affinity: str, server: str) -> None:
        if not affinity:
            return
        self._servers[affinity] = server
        self._servers.move_to_end(affinity)
        if len(self._servers) > KEPT_CONVERSATIONS:
            self._servers.popitem(last=False)


def allowance(least_load: int) -> int:
    """How many more requests than the least loaded server a conversation's server may have."""
    return max(SLACK_REQUESTS, int(least_load * SLACK_SHARE))
