"""Exponential backoff with jitter, for whatever is tried again until it works."""

from __future__ import annotations

import asyncio
import random

FIRST_S = 0.1
"""A database that restarts in place is back within a few of these."""

LONGEST_S = 5.0
"""The longest that a recovered server is left unused."""


class Backoff:
    """From `FIRST_S` to `LONGEST_S`, each pause shortened by up to a quarter so that retries spread out."""

    def __init__(self) -> None:
        self._pause = FIRST_S

    def reset(self) -> None:
        self._pause = FIRST_S

    async def sleep(self) -> None:
        pause, self._pause = self._pause, min(LONGEST_S, self._pause * 2)
        await asyncio.sleep(pause * random.uniform(0.75, 1.0))  # noqa: S311 - spreads retries, no secret
