"""Whose document is read next: a few at once, one of each person, and people in turn.

So a hundred documents of one person hold up nobody else's one by more than a document's time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ReaderSlots:
    """Slots for `count` readings at once, shared by the threads of this process."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._changed = threading.Condition()
        self._reading: set[int] = set()
        # Person -> how many of theirs wait. Its order is that of the turns.
        self._waiting: dict[int, int] = {}

    @contextmanager
    def taken_by(self, person: int) -> Iterator[None]:
        """Blocks until it is this person's turn."""
        with self._changed:
            self._waiting[person] = self._waiting.get(person, 0) + 1
            self._changed.wait_for(lambda: self._next() == person)
            if left := self._waiting.pop(person) - 1:
                self._waiting[person] = left  # behind everybody who waits
            self._reading.add(person)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._reading.discard(person)
                self._changed.notify_all()

    def _next(self) -> int | None:
        if len(self._reading) >= self._count:
            return None
        return next((person for person in self._waiting if person not in self._reading), None)
