"""Periodic work: a function that is called again and again, and whose failures end nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from inference.backoff import Backoff

log = structlog.get_logger(__name__)


async def every(
    seconds: float,
    name: str,
    work: Callable[[], Awaitable[object]],
    *,
    at_once: bool = True,
    wakeup: asyncio.Event | None = None,
    backoff: Backoff | None = None,
) -> None:
    """Call `work` until cancelled, with a pause of `seconds` after each call. What it raises is logged.

    `at_once` False begins with a pause. `wakeup`, once set, ends the pause early; what is set while `work`
    runs counts for the next call. With a `backoff` the pauses after failures are longer, each by more.
    """
    if not at_once:
        await _pause(seconds, wakeup)
    while True:
        if wakeup is not None:
            wakeup.clear()
        try:
            await work()
        except Exception:
            log.exception("periodic_work_failed", work=name)
            if backoff is not None:
                await backoff.sleep()
        else:
            if backoff is not None:
                backoff.reset()
        await _pause(seconds, wakeup)


async def _pause(seconds: float, wakeup: asyncio.Event | None) -> None:
    if wakeup is None:
        await asyncio.sleep(seconds)
        return
    try:
        async with asyncio.timeout(seconds):
            await wakeup.wait()
    except TimeoutError:
        return
