"""Waiting for what others do: a condition, asked again and again, with more patience than any machine needs.

Patience finds hangs and judges no speed. On two slow cores that others use as well, what takes a second alone
takes a minute; a test that lost its patience there would have found nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 240.0
"""Below pytest's own timeout, so that a hang is told by the test that met it."""

PATIENCE_MS = PATIENCE_S * 1_000
"""For Playwright."""

LOOK_S = 0.01

STILL_S = 0.5
"""Many steps of an engine."""

T = TypeVar("T")


async def until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait until it holds, on the running loop. Raises TimeoutError when patience ends."""
    async with asyncio.timeout(patience_s):
        while not condition():  # noqa: ASYNC110 - what is outside announces nothing
            await asyncio.sleep(LOOK_S)


async def until_still(look: Callable[[], T]) -> T:
    """Wait until something is as it was a while ago, and what it is."""
    async with asyncio.timeout(PATIENCE_S):
        before, now = None, look()
        while now != before:
            await asyncio.sleep(STILL_S)
            before, now = now, look()
    return now


def wait_until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait until it holds, in this thread. Raises TimeoutError when patience ends."""
    ends = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError(f"{condition} did not hold within {patience_s:g} s")
        time.sleep(LOOK_S)
