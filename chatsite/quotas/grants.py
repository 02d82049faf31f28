"""Who pays: the plan's budget first, then grants, those that end soonest first. Pure.

A grant is a sum, not a higher limit: 100,000 tokens until Friday are 100,000 in all, not each day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Allocations = dict[str, int]
"""Grant id, as text, → tokens taken from it, in the order of taking."""


@dataclass(frozen=True)
class AvailableGrant:
    """What a grant still holds."""

    grant: str
    left: int


def shortfall(need: int, windows: Sequence[tuple[int, int | None]]) -> int:
    """How much of `need` the plan cannot pay. `windows`: (sum with `need` in it, limit or None)."""
    over = max((total - limit for total, limit in windows if limit is not None), default=0)
    return min(need, max(0, over))


def allocate(need: int, grants: Sequence[AvailableGrant]) -> Allocations | None:
    """Take `need` tokens from grants in their order; None where they do not hold so much."""
    taken: Allocations = {}
    for grant in grants:
        if need <= 0:
            break
        if part := min(need, grant.left):
            taken[grant.grant] = part
            need -= part
    return None if need > 0 else taken


def refunds(reserved: int, allocations: Mapping[str, int], spent: int) -> Allocations:
    """What grants get back, as negative allocations, when `spent` of `reserved` tokens were really made.

    The plan pays first, so grants get back first, and what was taken last before what was taken first.
    """
    drawn = sum(allocations.values())
    surplus = max(0, drawn - max(0, spent - (reserved - drawn)))
    back: Allocations = {}
    for grant, part in reversed(list(allocations.items())):
        if refund := min(surplus, part):
            back[grant] = -refund
            surplus -= refund
    return back
