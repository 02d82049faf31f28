"""Documents are read in turns: one of each person at once, and nobody's flood before another's single one."""

from __future__ import annotations

import threading

from chatsite.attachments.reading.reader_slots import ReaderSlots
from tests.support.waiting import PATIENCE_S, wait_until


class Readers:
    """Threads that take a slot each; who has one goes on when `door` is open."""

    def __init__(self, slots: ReaderSlots) -> None:
        self.slots = slots
        self.door = threading.Event()
        self.begun: list[int] = []
        self.threads: list[threading.Thread] = []

    def come(self, person: int, documents: int = 1) -> None:
        for _ in range(documents):
            self.threads.append(threading.Thread(target=self._read, args=(person,)))
            self.threads[-1].start()

    def _read(self, person: int) -> None:
        with self.slots.taken_by(person):
            self.begun.append(person)
            self.door.wait(PATIENCE_S)

    def end(self) -> None:
        self.door.set()
        for thread in self.threads:
            thread.join(PATIENCE_S)


def test_one_person_has_one_slot_and_another_gets_the_second_at_once() -> None:
    slots = ReaderSlots(2)
    readers = Readers(slots)
    try:
        readers.come(1, 5)
        wait_until(lambda: slots._waiting.get(1) == 4)
        readers.come(2)
        wait_until(lambda: len(readers.begun) == 2)
        assert readers.begun == [1, 2]
        readers.come(3)
        wait_until(lambda: 3 in slots._waiting)
        assert readers.begun == [1, 2]
    finally:
        readers.end()
    assert sorted(readers.begun) == [1, 1, 1, 1, 1, 2, 3]


def test_people_take_turns() -> None:
    slots = ReaderSlots(1)
    readers = Readers(slots)
    try:
        readers.come(1)
        wait_until(lambda: readers.begun == [1])
        for person, documents in ((1, 3), (2, 2), (3, 1)):
            readers.come(person, documents)
            wait_until(lambda person=person, documents=documents: slots._waiting.get(person) == documents)
    finally:
        readers.end()
    assert readers.begun == [1, 1, 2, 3, 1, 2, 1]
