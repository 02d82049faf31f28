"""A disk without room: questions are refused with the reason, and asked again when there is room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test import Client

from chatsite.conversations.models import Message
from chatsite.database import write
from tests.support.people import make_user
from tests.support.socket import open_socket

pytestmark = pytest.mark.django_db(transaction=True)

FULL = {
    # No page is free, and none may be added to the file: SQLITE_FULL, as with no byte left on the disk.
    "sqlite": ["VACUUM", "PRAGMA max_page_count = 1"],
    "postgresql": [
        """CREATE FUNCTION no_room() RETURNS trigger AS $$ BEGIN
           RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
           END $$ LANGUAGE plpgsql""",
        "CREATE TRIGGER no_room BEFORE INSERT ON conversations_message EXECUTE FUNCTION no_room()",
        "CREATE TRIGGER no_room BEFORE INSERT ON conversations_prompt EXECUTE FUNCTION no_room()",
    ],
}
ROOM = {
    "sqlite": ["PRAGMA max_page_count = 1073741823"],
    "postgresql": ["DROP FUNCTION no_room() CASCADE"],
}

LONG = "word " * 4_000
"""More than fits into the pages that are there."""


def do(statements: dict[str, list[str]]) -> None:
    with connection.cursor() as cursor:
        for statement in statements[connection.vendor]:
            cursor.execute(statement)


@contextmanager
def full() -> Iterator[None]:
    do(FULL)
    try:
        yield
    finally:
        do(ROOM)


async def test_a_question_is_refused_and_taken_when_there_is_room() -> None:
    alice = await sync_to_async(make_user)("alice")
    socket = await open_socket(alice)
    await write(do, FULL)
    try:
        for _ in range(2):
            frame = await socket.submit(LONG)
            assert (frame["type"], frame["code"]) == ("rejected", "storage_full")
            assert frame["retry_after_s"] > 0
    finally:
        await write(do, ROOM)
    assert not await sync_to_async(Message.objects.exists)(), "nothing of it was stored"
    assert (await socket.submit(LONG))["type"] == "accepted", "on the same socket"
    await socket.disconnect()


def test_the_pages_other_requests_say_so_too() -> None:
    alice = make_user("alice")
    client = Client()
    client.force_login(alice)
    prompt = {"name": "Report", "content": LONG}
    with full():
        answer = client.post("/api/prompts", prompt, "application/json")
    assert answer.status_code == 507, answer.content
    assert answer.json()["error"]["code"] == "storage_full"
    assert client.post("/api/prompts", prompt, "application/json").status_code < 300
