"""Database access from async code: short sync functions in threads that keep their connection.

SQLite has one writer, so its writes share one thread and never wait for each other's lock; reads run
beside it. Channels' own helper shares one thread for everything (0.4 s became 1.6 s for 8 sockets).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, ParamSpec, TypeVar

import structlog
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import OperationalError, close_old_connections, connection
from django.db.models import QuerySet

from chatsite.errors import Refusal
from chatsite.priority_pool import PriorityPool

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

SQLITE_FULL, POSTGRES_FULL = "SQLITE_FULL", "53100"
"""A full disk, by SQLite's name for the error and PostgreSQL's SQLSTATE."""

ROOM_RETRY_S = 60.0
"""Retry-After of `storage_full`: an administrator has to free space first."""

READER_THREADS = 4
"""Reads are a millisecond; more threads only queue at the interpreter's lock."""

POOLED_WRITER_THREADS = 8
"""PostgreSQL commits wait for the disk, in parallel; half of the connection pool's default size."""


@cache
def _readers() -> PriorityPool:
    return PriorityPool(READER_THREADS, "db-read")


@cache
def _long_readers() -> PriorityPool:
    return PriorityPool(1, "db-long")


@cache
def _writers() -> PriorityPool:
    return PriorityPool(1 if connection.vendor == "sqlite" else POOLED_WRITER_THREADS, "db-write")


async def read(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that only reads, in a thread."""
    return await _run(_readers(), function, args, kwargs)


class _WritesMark:
    """Tells bulk writers of other processes that writes of this one run or wait: a shared lock on a file.

    It is a hint. Where it cannot be set, they pause for their own time alone.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._file: int | None = None

    def set(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == 1:
                with suppress(OSError):
                    self._file = _lock_mark(fcntl.LOCK_SH)

    def clear(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0 and self._file is not None:
                os.close(self._file)
                self._file = None


_writes_mark = _WritesMark()


def _lock_mark(kind: int) -> int:
    """The open file of the mark with this lock on it. Raises OSError: where another's is in the way, too."""
    file = os.open(Path(settings.DATA_DIR) / "writes.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def writes_wait() -> bool:
    """Whether writes of a serving process run or wait for SQLite's one writer: bulk writers hold back."""
    if connection.vendor != "sqlite":
        return False
    try:
        os.close(_lock_mark(fcntl.LOCK_EX))
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


async def read_long(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that reads megabytes, after others of its kind: other reads wait for none of them."""
    return await _run(_long_readers(), function, args, kwargs)


async def write(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that writes, in one short transaction of its own. Raises what `storing` does."""
    return await _run(_writers(), storing, (function, *args), kwargs)


async def write_first(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`write` ahead of all waiting writes: for those that a first token waits for."""
    return await _run(_writers(), storing, (function, *args), kwargs, urgent=True)


async def _run(
    pool: PriorityPool, function: Callable[..., T], args: Any, kwargs: Any, *, urgent: bool = False
) -> T:
    def call() -> T:
        if connection.vendor == "sqlite":
            return function(*args, **kwargs)
        try:
            return function(*args, **kwargs)
        finally:
            close_old_connections()  # gives the connection back to the driver's pool

    if pool is not _writers() or connection.vendor != "sqlite":
        return await asyncio.wrap_future(pool.submit(call, urgent=urgent))
    _writes_mark.set()
    done = pool.submit(call, urgent=urgent)
    done.add_done_callback(lambda _: _writes_mark.clear())
    return await asyncio.wrap_future(done)


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


def lock_in_order(rows: QuerySet[Any]) -> list[Any]:
    """Lock these rows until the transaction ends, and return their keys, sorted. Call it before a statement
    that changes several rows which others change too.

    An UPDATE locks rows as the planner finds them; two of them that meet the same rows in opposite orders
    are a deadlock, of which PostgreSQL ends one. SQLite has one writer and needs no locks.
    """
    # NO KEY: rows that point to these may be written meanwhile, as by whoever ends an answer.
    return list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))


def lock_person(user_id: int) -> None:
    """Lock a user's row until the transaction ends, so that counts against the user's limits are exact."""
    lock_in_order(get_user_model().objects.filter(pk=user_id))


def give_back_connection() -> None:
    """Return the connection to the pool before a view waits for something else."""
    if not connection.in_atomic_block:
        close_old_connections()


def close_threads() -> None:
    """End the threads and their connections (tests, shutdown)."""
    for pool in (_readers, _long_readers, _writers):
        pool().submit(connection.close)
        pool().shutdown()
        pool.cache_clear()
