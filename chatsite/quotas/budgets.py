"""A budget on the wire and on the pages: how much is used, its limit, when it is new again. No Django."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

WARN_AT = 0.8
"""Share of a budget from which people are warned: a fifth is left, enough to plan the rest of the day."""


STEPS = (80, 100)
"""Percent of a budget at which its person is told, once per window."""


def step_of(used: int, limit: int | None) -> int:
    """The highest step that is reached; 0 for none, and where nothing may be used at all."""
    return max((step for step in STEPS if limit and used * 100 >= step * limit), default=0)


class BudgetAlert(msgspec.Struct, frozen=True):
    """A share of a budget, in percent, that was passed, and that the person has not dismissed yet."""

    budget: Literal["day", "month"]
    percent: int
    resets_at: datetime


class Budget(msgspec.Struct, frozen=True):
    """One budget in tokens. `used` counts reservations; `warn` from 80 % on.

    `grant` is all extra tokens together, drawn when day or month are spent; `resets_at` is then when
    the first of them ends.
    """

    name: Literal["day", "month", "grant"]
    used: int
    limit: int
    resets_at: datetime
    warn: bool
