"""Database work off the event loop: short sync functions in threads that keep their connection.

SQLite has one writer, so its writes share one thread and never wait for each other's lock; reads run
beside it. Channels' own helper shares one thread for everything (0.4 s became 1.6 s for 8 sockets).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any, ParamSpec, TypeVar

import structlog
from django.db import OperationalError, close_old_connections, connection

from chatsite.errors import Refusal
from chatsite.urgent_pool import UrgentPool

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

SQLITE_FULL, POSTGRES_FULL = "SQLITE_FULL", "53100"
"""A full disk, by SQLite's name for the error and PostgreSQL's SQLSTATE."""

ROOM_RETRY_S = 60.0
"""Somebody has to make room by hand."""

READER_THREADS = 4
"""Reads are a millisecond; more threads only queue at the interpreter's lock."""

POOLED_WRITER_THREADS = 8
"""PostgreSQL commits wait for the disk, in parallel; half of the connection pool's default size."""


@cache
def _readers() -> UrgentPool:
    return UrgentPool(READER_THREADS, "db-read")


@cache
def _writers() -> UrgentPool:
    return UrgentPool(1 if connection.vendor == "sqlite" else POOLED_WRITER_THREADS, "db-write")


async def read(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that only reads."""
    return await _run(_readers(), function, args, kwargs)


async def write(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that writes, in one short transaction of its own. Raises what `storing` does."""
    return await _run(_writers(), storing, (function, *args), kwargs)


async def write_first(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same, before all other writes that wait: for what somebody's first word depends on."""
    return await _run(_writers(), storing, (function, *args), kwargs, urgent=True)


async def _run(
    pool: UrgentPool, function: Callable[..., T], args: Any, kwargs: Any, *, urgent: bool = False
) -> T:
    def call() -> T:
        if connection.vendor == "sqlite":
            return function(*args, **kwargs)
        try:
            return function(*args, **kwargs)
        finally:
            close_old_connections()  # gives the connection back to the driver's pool

    return await asyncio.wrap_future(pool.submit(call, urgent=urgent))


def storing(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that writes. Raises Refusal `storage_full` where there was no room: nothing was stored.

    Other failures say nothing of the sort (a commit may have come through before the connection broke), and
    whoever asked asks again by the same id.
    """
    try:
        return function(*args, **kwargs)
    except OperationalError as error:
        cause = error.__cause__
        full = getattr(cause, "sqlite_errorname", "") == SQLITE_FULL
        if not full and getattr(cause, "sqlstate", "") != POSTGRES_FULL:
            raise
        log.error("storage_full", error=str(error))
        message = "The site has no room left to store anything; an administrator has to make room."
        raise Refusal("storage_full", message, ROOM_RETRY_S) from error


def give_back_connection() -> None:
    """In a view that is about to wait for something else: others can use the connection meanwhile."""
    if not connection.in_atomic_block:
        close_old_connections()


def close_threads() -> None:
    """End the threads and their connections (tests, shutdown)."""
    for pool in (_readers(), _writers()):
        pool.submit(connection.close)
        pool.shutdown()
    _readers.cache_clear()
    _writers.cache_clear()
