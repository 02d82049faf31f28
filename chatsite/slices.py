"""Bulk writes in slices: short transactions that size themselves by measured time, with pauses between them.

SQLite has one writer, so whatever writes much at once (an import, an erasure) would hold up every question
meanwhile. A slice holds the writer for about SLICE_S; between two of them everybody else's writes get their
turn. PostgreSQL's writers wait for each other less, and its disks and locks are spared by the same rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Generic, TypeVar

from django.db import connection, transaction

from chatsite.database import writes_wait

T = TypeVar("T")

SLICE_S = 0.05
"""How long one transaction of bulk work should hold the writer: a question waits for it unnoticed."""

LEAST_PAUSE_S = 0.03
"""SQLite's waiting writers look again every 25 ms by then, so each of them finds the writer free."""

LONGEST_PAUSE_S = 2.0
"""So long at most bulk work waits for others' writes to end; under a lasting load it still goes on."""

POLL_S = 0.01

CHECKPOINT_PAGES = 1_000
"""SQLite's own: a commit that finds so many pages in the write-ahead log copies them into the file."""

FIRST_WEIGHT = 50_000
LEAST_WEIGHT, MOST_WEIGHT = 20_000, 8_000_000
"""Of one slice, in characters: less is mostly the cost of committing; more is too much to hold in memory."""

ROW_WEIGHT = 300
"""Of a row beside its text: its columns and its places in the indexes."""


class SliceBudget:
    """How much one slice may hold, learned from how long those before it took.

    `weight` is in characters of text, with ROW_WEIGHT for each row. `count` is how many slices there were.
    """

    def __init__(self, weight: int = FIRST_WEIGHT) -> None:
        self.weight = weight
        self.count = 0
        self._took = 0.0

    @contextmanager
    def transaction(self, weight: int) -> Iterator[None]:
        """One slice: a transaction of so much weight, whose time is learned from."""
        with _no_checkpoint():
            with transaction.atomic():
                started = monotonic()  # the writer is held from here on
                yield
            self._learn(weight, monotonic() - started)

    def pause(self) -> None:
        """Let everybody else write: as long as the last slice took, and while their writes wait.

        Inside a transaction of the caller nobody else could write, so nothing is waited for.
        """
        if connection.in_atomic_block:
            return
        if connection.vendor == "sqlite":
            _execute("PRAGMA wal_checkpoint(PASSIVE)")  # or the next question's commit would do it
        sleep(max(LEAST_PAUSE_S, self._took))
        end = monotonic() + LONGEST_PAUSE_S
        while writes_wait() and monotonic() < end:
            sleep(POLL_S)

    def _learn(self, weight: int, took: float) -> None:
        self.count += 1
        self._took = took
        if took > SLICE_S:
            wanted = min(weight, self.weight) * SLICE_S / took
            self.weight = max(LEAST_WEIGHT, int(wanted), self.weight // 4)
        elif took < SLICE_S / 2 and 2 * weight >= self.weight:
            self.weight = min(MOST_WEIGHT, self.weight * 3 // 2)


@contextmanager
def _no_checkpoint() -> Iterator[None]:
    """Meanwhile no commit of this connection copies the write-ahead log of SQLite into the file."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    _execute("PRAGMA wal_autocheckpoint=0")
    try:
        yield
    finally:
        _execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


class SliceWriter(Generic[T]):
    """Writes prepared items slice by slice, with pauses; `write` is called in a transaction for each."""

    def __init__(self, write: Callable[[list[T]], object], budget: SliceBudget) -> None:
        self._write = write
        self._budget = budget
        self._items: list[T] = []
        self._weight = 0

    def add(self, item: T, weight: int) -> None:
        """Take an item of this many characters, and write what has come together once it is a slice."""
        if self._items and self._weight + weight > self._budget.weight:
            self.flush()
        self._items.append(item)
        self._weight += weight

    def flush(self) -> None:
        """Write what is left."""
        if not self._items:
            return
        if self._budget.count:
            self._budget.pause()
        with self._budget.transaction(self._weight):
            self._write(self._items)
        self._items, self._weight = [], 0
