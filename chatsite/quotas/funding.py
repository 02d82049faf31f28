"""Who pays: the plan's budget first, then grants, those that end soonest first. Pure.

A grant is a pot, not a higher limit: 100,000 tokens until Friday are 100,000 in all, not each day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Draws = dict[str, int]
"""Grant id, as text, → tokens. The order is that of the drawing."""


@dataclass(frozen=True)
class Pot:
    """What a grant still holds."""

    grant: str
    left: int


def overdraft(need: int, windows: Sequence[tuple[int, int | None]]) -> int:
    """How much of `need` the plan cannot pay. `windows`: (sum with `need` in it, limit or None)."""
    over = max((total - limit for total, limit in windows if limit is not None), default=0)
    return min(need, max(0, over))


def draw(need: int, pots: Sequence[Pot]) -> Draws | None:
    """Take `need` tokens from pots in their order; None where they do not hold so much."""
    draws: Draws = {}
    for pot in pots:
        if need <= 0:
            break
        if part := min(need, pot.left):
            draws[pot.grant] = part
            need -= part
    return None if need > 0 else draws


def give_back(reserved: int, draws: Mapping[str, int], spent: int) -> Draws:
    """What grants get back, as negative draws, when `spent` of `reserved` tokens were really made.

    The plan pays first, so grants get back first, and what was drawn last before what was drawn first.
    """
    drawn = sum(draws.values())
    surplus = max(0, drawn - max(0, spent - (reserved - drawn)))
    back: Draws = {}
    for grant, part in reversed(list(draws.items())):
        if refund := min(surplus, part):
            back[grant] = -refund
            surplus -= refund
    return back
