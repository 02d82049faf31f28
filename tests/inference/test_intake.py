"""Rows become requests, as far as the queue has room; what it has no room for stays a row."""

from __future__ import annotations

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chatsite.generations.models import Generation
from chatsite.generations.submit import do_submit
from inference.request import Request
from inference.scheduling.scheduler import DuplicateError, QueueFullError
from inference.worker import intake
from inference.worker.intake import Intake
from tests.support.people import ask_of, make_user

pytestmark = pytest.mark.django_db(transaction=True)


class Queue:
    """Full for one person."""

    def __init__(self, full_for: str) -> None:
        self.full_for = full_for
        self.known: list[str] = []
        self.cancelled: list[str] = []
        self.rejected: list[str] = []
        self.unreadable: list[str] = []

    def enqueue(self, request: Request) -> None:
        if request.user == self.full_for:
            raise QueueFullError("full", 1.0)
        self.known.append(request.generation)

    def cancel(self, generation: str) -> bool:
        if generation not in self.known:
            return False
        self.cancelled.append(generation)
        return True

    def reject(self, request: Request, *, unreadable: bool = False) -> None:
        (self.unreadable if unreadable else self.rejected).append(request.generation)


async def test_one_full_queue_keeps_neither_others_nor_a_stop_from_the_queue() -> None:
    def asked() -> tuple[str, str, str, str]:
        alice, bob = make_user("alice"), make_user("bob")
        full, behind, stopped = (
            str(do_submit(ask_of(user), "Hello", None, None).generation) for user in (alice, bob, bob)
        )
        Generation.objects.filter(id=stopped).update(cancel_requested=True)
        return str(alice.pk), full, behind, stopped

    alice, full, behind, stopped = await sync_to_async(asked)()
    queue = Queue(full_for=alice)
    poll = Intake(queue).poll
    await poll()
    assert behind in queue.known
    assert full not in queue.known
    assert queue.cancelled == [stopped], "though it was found in the same poll"
    queue.full_for = ""
    await poll()
    assert full in queue.known, "the row waited outside"


async def test_however_many_have_no_room_whoever_is_behind_them_is_found(monkeypatch) -> None:
    monkeypatch.setattr(intake, "BATCH_ROWS", 2)

    def asked() -> tuple[str, list[str]]:
        alice, bob = make_user("alice"), make_user("bob")
        for _ in range(5):
            do_submit(ask_of(alice), "Hello", None, None)
        Generation.objects.update(created_at=timezone.now() - timedelta(seconds=9))  # all at one moment
        behind = [str(do_submit(ask_of(bob), "Hello", None, None).generation) for _ in range(2)]
        return str(alice.pk), behind

    alice, behind = await sync_to_async(asked)()
    queue = Queue(full_for=alice)
    await Intake(queue).poll()
    assert queue.known == behind
    queue.full_for = ""
    await Intake(queue).poll()
    assert len(queue.known) == len(set(queue.known)) == 7


async def test_what_has_no_room_can_be_stopped() -> None:
    def asked() -> tuple[str, str, str]:
        alice = make_user("alice")
        first, second = (str(do_submit(ask_of(alice), "Hello", None, None).generation) for _ in range(2))
        Generation.objects.filter(id=second).update(cancel_requested=True)
        return str(alice.pk), first, second

    alice, _, stopped = await sync_to_async(asked)()
    queue = Queue(full_for=alice)
    await Intake(queue).poll()
    assert (queue.known, queue.rejected) == ([], [stopped])


async def test_a_row_that_makes_no_request_fails_and_keeps_no_other_from_the_queue() -> None:
    def asked() -> tuple[str, str]:
        alice = make_user("alice")
        broken, sound = (str(do_submit(ask_of(alice), "Hello", None, None).generation) for _ in range(2))
        Generation.objects.filter(id=broken).update(sampling={"temperature": "warm"})
        return broken, sound

    broken, sound = await sync_to_async(asked)()
    queue = Queue(full_for="")
    await Intake(queue).poll()
    assert (queue.known, queue.unreadable) == ([sound], [broken])


async def test_a_request_that_the_queue_cannot_take_keeps_no_other_from_it() -> None:
    def asked() -> tuple[str, str]:
        return tuple(  # type: ignore[return-value]
            str(do_submit(ask_of(make_user(name)), "Hello", None, None).generation)
            for name in ("alice", "bob")
        )

    class Odd(Queue):
        def enqueue(self, request: Request) -> None:
            if request.generation == first:
                raise DuplicateError("in queue already")
            super().enqueue(request)

    first, second = await sync_to_async(asked)()
    queue = Odd(full_for="")
    await Intake(queue).poll()
    assert queue.known == [second]
