"""Ownership of the queue: one process at a time, and an epoch that outdates the one before.

The lock keeps two healthy processes apart; the epoch keeps one that wakes from a long pause from writing
(Kleppmann, "How to do distributed locking", 2016: fencing tokens). Every write checks the epoch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TypeVar

import structlog
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest, Now

from chatsite.database import write
from chatsite.generations.models import Ownership
from inference.stream_log.base import StreamLog
from inference.worker.owner_lock import HEARTBEAT_S, LockLostError, OwnerLock

log = structlog.get_logger(__name__)

T = TypeVar("T")

RETRY_S = 1.0
"""How often a standby tries: a second is nothing beside an engine's start."""

CALL_LIMIT_S = 6.0
"""For one call of the lock: longer than a connection may take to be opened (chatsite/settings.py)."""

SOUGHT_S = 30.0
"""How long a lost lock is sought before the engine is given up: a database restarts within."""


async def become_owner(lock: OwnerLock, stream_log: StreamLog) -> int:
    """Wait for the lock, then begin a new epoch, above all that rows and log have seen, and return it.

    Whatever is away meanwhile is tried again: a standby is of use only while it lives.
    """
    # Read once: from here on the log's epochs are the database's own.
    above: int | None = None
    logged = False
    while True:
        try:
            if above is None:
                above = await stream_log.epoch()
            if await call_lock(lock, lock.take):
                async with asyncio.timeout(CALL_LIMIT_S):
                    return await write(next_epoch, above)
            if not logged:
                log.info("standby", why="another inference process owns the queue")
                logged = True
        except Exception as error:
            log.warning("standby_tries_again", error=repr(error))
            await asyncio.to_thread(lock.release)
        await asyncio.sleep(RETRY_S)


def next_epoch(above: int = 0) -> int:
    """One more than any owner had before; from here on their writes change no row.

    `above` is the log's own highest: a database that was restored or made anew may be behind it.
    """
    with transaction.atomic():
        Ownership.objects.get_or_create(id=1)
        Ownership.objects.filter(id=1).update(
            epoch=Greatest(F("epoch"), Value(above)) + 1, heartbeat_at=Now()
        )
        return Ownership.objects.get(id=1).epoch


async def keep_lock(lock: OwnerLock, epoch: int) -> None:
    """Write the owner's heartbeats, and seek a lock whose session was lost, until cancelled.

    Raises LockLostError where somebody else has it, or it could not be had again within `SOUGHT_S`.
    """
    while True:
        await asyncio.sleep(HEARTBEAT_S)
        try:
            await call_lock(lock, partial(lock.beat, epoch))
        except LockLostError:
            raise
        except Exception as error:
            log.warning("lock_sought", error=repr(error))
            await _seek(lock, epoch)


async def _seek(lock: OwnerLock, epoch: int) -> None:
    ends = monotonic() + SOUGHT_S
    while monotonic() < ends:
        try:
            if await call_lock(lock, partial(lock.retake, epoch)):
                log.info("lock_retaken", epoch=epoch)
                return
        except LockLostError:
            raise
        except Exception as error:
            log.warning("lock_sought", error=repr(error))
        await asyncio.sleep(HEARTBEAT_S / 2)
    raise LockLostError(f"The owner lock was lost and could not be taken again within {SOUGHT_S:g} s.")


async def call_lock(lock: OwnerLock, call: Callable[[], T]) -> T:
    """Call a method of the lock in a thread. One that takes longer than `CALL_LIMIT_S` loses its connection.

    Raises TimeoutError where even that does not end it.
    """
    running = asyncio.ensure_future(asyncio.to_thread(call))
    await asyncio.wait({running}, timeout=CALL_LIMIT_S)
    if not running.done():
        lock.hang_up()
        await asyncio.wait({running}, timeout=CALL_LIMIT_S)
    if not running.done():
        running.cancel()
        raise TimeoutError(f"The owner lock's server did not answer within {2 * CALL_LIMIT_S:g} s.")
    return running.result()
