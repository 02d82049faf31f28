"""Rows become requests, as far as the line has room; what it has no room for stays a row."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from chatsite.generations.models import Generation
from chatsite.generations.submit import do_submit
from inference.request import Request
from inference.scheduling.errors import QueueFullError
from inference.worker.intake import Intake
from tests.people import ask_of, make_user

pytestmark = pytest.mark.django_db(transaction=True)


class Line:
    """Full for one person."""

    def __init__(self, full_for: str) -> None:
        self.full_for = full_for
        self.known: list[str] = []
        self.cancelled: list[str] = []

    def enqueue(self, request: Request) -> None:
        if request.user == self.full_for:
            raise QueueFullError("full", 1.0)
        self.known.append(request.generation)

    def cancel(self, generation: str) -> bool:
        if generation not in self.known:
            return False
        self.cancelled.append(generation)
        return True


async def test_one_full_queue_keeps_neither_others_nor_a_stop_from_the_line() -> None:
    def asked() -> tuple[str, str, str, str]:
        alice, bob = make_user("alice"), make_user("bob")
        full, behind, stopped = (
            str(do_submit(ask_of(user), "Hello", None, None).generation) for user in (alice, bob, bob)
        )
        Generation.objects.filter(id=stopped).update(cancel_requested=True)
        return str(alice.pk), full, behind, stopped

    alice, full, behind, stopped = await sync_to_async(asked)()
    line = Line(full_for=alice)
    intake = Intake(line)
    await intake.look()
    assert behind in line.known
    assert full not in line.known
    assert line.cancelled == [stopped], "though it was found in the same look"
    line.full_for = ""
    await intake.look()
    assert full in line.known, "the row waited outside"
