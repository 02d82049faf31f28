"""One budget, as the wire and the pages show it. Knows no Django."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

WARN_AT = 0.8
"""Share of a budget from which people are warned: a fifth is left, enough to plan the rest of the day."""


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
