"""How much large requests may make others wait: a share of the time, and no more.

Idea: a request that holds much of the KV cache may start only by keeping others out of it. While one does,
a debt grows; while none does, it is paid back, slower by the share's odds. Large requests start again once
nothing is owed. So whoever asks at a random moment meets a large request with that probability at most,
however many of them wait; and since the debt is bounded, each of those gets its turn.
"""

from __future__ import annotations


class Ration:
    """`share` is the part of the time in which others may be kept waiting, in (0, 1); `longest_pause_s`
    bounds the debt."""

    def __init__(self, share: float, longest_pause_s: float) -> None:
        self._odds = (1 - share) / share
        self._most_s = longest_pause_s / self._odds
        self._owed_s = 0.0
        self._looked: float | None = None
        self._others_wait = False

    def look(self, now: float) -> None:
        """Time has passed, in the state that was told last."""
        passed = 0.0 if self._looked is None else now - self._looked
        self._looked = now
        change = passed if self._others_wait else -passed / self._odds
        self._owed_s = min(self._most_s, max(0.0, self._owed_s + change))

    def tell(self, *, others_wait: bool) -> None:
        """Whether somebody waits for KV tokens because of a large request, from now on."""
        self._others_wait = others_wait

    @property
    def pause_s(self) -> float:
        """Seconds without a large request after which the next may start; 0 when it may now."""
        return self._owed_s * self._odds
