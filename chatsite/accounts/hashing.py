"""Password hashing in a short queue: few at a time, at low priority, refused beyond.

A hash takes a third of a second of a core on purpose. A hundred wrong passwords at once would take every core
from everybody's answers; here they take turns, and whoever finds the queue full is told when to come back.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TypeVar

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.utils.translation import gettext as _

from chatsite.database import give_back_connection
from chatsite.errors import Refusal
from chatsite.priority_pool import PriorityPool

T = TypeVar("T")

CORES_PER_THREAD = 4
"""One thread for so many cores, and one at least: the others are for answers."""

MAX_WAITING = 16
"""Hashes that wait: a few seconds on an idle machine. More would be longer than a person waits for a page."""

MAX_WAITING_KNOWN = 16
"""Further ones from devices on which the account has signed in: a storm leaves them their places."""

RETRY_S = 5.0
"""When to try again: as long as a full queue takes, or nearly."""

NICENESS = 10
"""Of the threads, on Linux, where each has its own: the event loop is served first."""

_known: ContextVar[bool] = ContextVar("known_device", default=False)


class HashingQueue:
    """Runs calls in `threads` threads of low priority; those of known devices first."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = PriorityPool(threads, "hashing")
        self._lock = threading.Lock()
        self._count = 0
        self._nice = threading.local()

    def check_room(self, *, known: bool) -> None:
        """Raises Refusal `queue_full` where a call would be refused now."""
        with self._lock:
            self._check(known)

    def run(self, call: Callable[[], T], *, known: bool) -> T:
        """The call's result, when it had its turn. Raises Refusal `queue_full` where too many wait."""
        with self._lock:
            self._check(known)
            self._count += 1
        try:
            result: T = self._pool.submit(lambda: self._run(call), urgent=known).result()
            return result
        finally:
            with self._lock:
                self._count -= 1

    def _check(self, known: bool) -> None:
        if self._count >= self._threads + MAX_WAITING + (MAX_WAITING_KNOWN if known else 0):
            message = _("Too many people are signing in at this moment. Try again in %(seconds)d seconds.")
            raise Refusal("queue_full", message % {"seconds": RETRY_S}, RETRY_S)

    def _run(self, call: Callable[[], T]) -> T:
        if sys.platform == "linux" and not hasattr(self._nice, "set"):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
            self._nice.set = True
        return call()


@cache
def hashing_queue() -> HashingQueue:
    """The process's own."""
    return HashingQueue(max(1, len(os.sched_getaffinity(0)) // CORES_PER_THREAD))


@contextmanager
def hashing_for(*, known: bool) -> Iterator[None]:
    """Hashes inside are for a device that the account knows, or not."""
    token = _known.set(known)
    try:
        yield
    finally:
        _known.reset(token)


class QueuedPasswordHasher(PBKDF2PasswordHasher):
    """Django's hasher, in the process's queue. Raises Refusal `queue_full`."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        encode = super().encode
        give_back_connection()
        return hashing_queue().run(lambda: encode(password, salt, iterations), known=_known.get())
