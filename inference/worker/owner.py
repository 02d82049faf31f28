"""Ownership of the queue: one process at a time, and an epoch that outdates the one before.

The lock keeps two healthy processes apart; the epoch keeps one that wakes from a freeze from writing
(Kleppmann, "How to do distributed locking", 2016: fencing tokens). Every write checks the epoch.
"""

from __future__ import annotations

import asyncio
import fcntl
from pathlib import Path
from typing import IO, Any, Protocol

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest

from chatsite.database import write
from chatsite.generations.models import Ownership
from inference.stream_log.base import StreamLog

log = structlog.get_logger(__name__)

RETRY_S = 1.0
"""How often a standby tries: a second is nothing beside an engine's start."""

ADVISORY_KEY = 0x63686174
"""The advisory lock's number: "chat" in ASCII."""


class OwnerLock(Protocol):
    """Held by one process; released by its end, however it ends."""

    def take(self) -> bool: ...

    def held(self) -> bool: ...

    def release(self) -> None: ...


class FileLock:
    """For SQLite, whose users share a machine: an flock, which the kernel releases with the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def take(self) -> bool:
        file = self._path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def held(self) -> bool:
        return self._file is not None

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class AdvisoryLock:
    """For PostgreSQL: a session lock on a connection of its own, outside the pool that would lend it out."""

    def __init__(self, params: dict[str, Any]) -> None:
        self._params = params
        self._connection: Any = None

    def take(self) -> bool:
        import psycopg

        fresh = psycopg.connect(**self._params, autocommit=True)
        row = fresh.execute("SELECT pg_try_advisory_lock(%s)", [ADVISORY_KEY]).fetchone()
        if not row or not row[0]:
            fresh.close()
            return False
        self._connection = fresh
        return True

    def held(self) -> bool:
        """Asks the server: a broken connection has lost the lock."""
        try:
            self._connection.execute("SELECT 1")
        except Exception:
            return False
        return True

    def release(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def owner_lock() -> OwnerLock:
    """The lock that fits the database."""
    if connection.vendor == "sqlite":
        return FileLock(Path(settings.DATA_DIR) / "inference.lock")
    database = settings.DATABASES["default"]
    return AdvisoryLock(
        {
            "host": database["HOST"] or None,
            "port": database["PORT"] or None,
            "user": database["USER"] or None,
            "password": database["PASSWORD"] or None,
            "dbname": database["NAME"],
        }
    )


async def become_owner(lock: OwnerLock, stream_log: StreamLog) -> int:
    """Wait for the lock, then begin a new epoch, above all that rows and log have seen, and return it."""
    told = False
    while not await asyncio.to_thread(lock.take):
        if not told:
            log.info("standby", why="another inference process owns the queue")
            told = True
        await asyncio.sleep(RETRY_S)
    return await write(next_epoch, await stream_log.epoch())


def next_epoch(above: int = 0) -> int:
    """One more than any owner had before; from here on their writes change no row.

    `above` is the log's own highest: a database that was restored or made anew may be behind it.
    """
    with transaction.atomic():
        Ownership.objects.get_or_create(id=1)
        Ownership.objects.filter(id=1).update(epoch=Greatest(F("epoch"), Value(above)) + 1)
        return Ownership.objects.get(id=1).epoch
