"""What nobody reads is not kept in memory: long conversations come in parts, and requests are few."""

from __future__ import annotations

import gc
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.core.asgi import get_asgi_application
from django.test import AsyncClient, Client

from chatsite import json_view
from chatsite.accounts.models import User
from chatsite.api import conversations, opened
from chatsite.api.message_items import message_items
from chatsite.conversations.models import Conversation, Feedback, Message
from chatsite.generations.models import Generation
from chatsite.ratelimit import ConcurrencyLimit
from chatsite.transfer import exporting
from tests.support.people import make_user, submit
from tests.support.slow_reader import SlowReader
from tests.support.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)

ODD = 'é 鹅 🙂 "quoted" back\\slash \n\t"content":"" </script> \u2028'
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def fill(user: User, texts: list[tuple[str, str]]) -> Conversation:
    """A conversation of these messages, each content and reasoning, all of one moment."""
    home = Conversation.objects.create(owner=user, title="Long")
    parent = None
    for number, (content, reasoning) in enumerate(texts):
        role = "assistant" if number % 2 else "user"
        parent = Message.objects.create(
            conversation=home, role=role, content=content, reasoning=reasoning, parent=parent, created_at=NOW
        )
    Feedback.objects.create(message=parent, value=1, comment="fine")
    return home


LONG = opened.PAGE_CHARS

SHAPES = {
    "many short ones": [(f"{n} {ODD}" * 20, "") for n in range(700)],
    "one long one": [("Why?", ""), (ODD * (6 * LONG // len(ODD)), "")],
    "long thoughts too": [("Why?", ""), (ODD * (5 * LONG // len(ODD)), ODD * (3 * LONG // len(ODD)))],
    "only thoughts": [("Why?", ""), ("", "x" * (5 * LONG))],
    "mixed": [("a" * (LONG + 1), ""), ("b" * LONG, ""), ("", ""), ("c" * (4 * LONG), "d"), ("e", "f" * LONG)],
    "on the edge": [("🙂" * LONG, ""), ("y" * (2 * LONG), "z" * (2 * LONG))],
}


@pytest.fixture
async def alice() -> User:
    return await sync_to_async(make_user)("alice")


async def client_of(user: User) -> AsyncClient:
    client = AsyncClient()
    await client.aforce_login(user)
    return client


async def reader_of(user: User, path: str, *, reads: bool = False) -> SlowReader:
    return SlowReader(get_asgi_application(), await client_of(user), path, reads=reads)


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_long_conversation_is_the_same_in_parts(
    alice: User, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = await sync_to_async(fill)(alice, SHAPES[shape])
    path = f"/api/conversations/{home.pk}"
    reader = await reader_of(alice, path, reads=True)
    in_parts = await reader.all()
    assert len(reader.connection.parts) > 4
    assert max(map(len, reader.connection.parts)) <= 2**16
    monkeypatch.setattr(opened, "SHORT_CHARS", 10**9)
    at_once = await (await reader_of(alice, path, reads=True)).all()
    assert in_parts == at_once


@pytest.mark.parametrize("shape", ["one long one", "many short ones", "mixed"])
async def test_who_does_not_read_has_one_part_made(
    alice: User, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = await sync_to_async(fill)(alice, SHAPES[shape])
    held: list[int] = []

    def counted(*args: object, **kwargs: object) -> object:
        made = message_items(*args, **kwargs)  # type: ignore[arg-type]
        held.append(sum(len(item["content"]) + len(item["reasoning"]) for item in made))
        return made

    monkeypatch.setattr(opened, "message_items", counted)
    reader = await reader_of(alice, f"/api/conversations/{home.pk}")
    await reader.until_waiting()
    assert len(reader.connection.parts) == 1
    assert sum(held) <= opened.PAGE_CHARS
    await reader.leave()
    assert len(reader.connection.parts) == 1, "and nothing after they left"


async def test_an_answer_that_is_being_made_is_read_whole(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its text and its seq are of one moment."""
    done = await sync_to_async(submit)(alice)
    await Message.objects.filter(id=done.answer).aupdate(content="x" * (2 * opened.SHORT_CHARS))
    await Generation.objects.filter(id=done.generation).aupdate(status="running", seq=7)
    monkeypatch.setattr(opened, "_slice", None)
    body = await (await reader_of(alice, f"/api/conversations/{done.conversation}", reads=True)).all()
    assert body.count(b"x") >= 2 * opened.SHORT_CHARS
    assert b'"seq":7' in body


async def test_a_person_has_so_many_requests_under_way(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_view, "REQUESTS", ConcurrencyLimit(4))
    monkeypatch.setattr(opened, "LONG_ANSWERS", ConcurrencyLimit(4))
    bob = await sync_to_async(make_user)("bob")
    home = await sync_to_async(fill)(alice, SHAPES["one long one"])
    path = f"/api/conversations/{home.pk}"
    unread = [await reader_of(alice, path) for _ in range(4)]
    for reader in unread:
        await reader.until_waiting()
    for _ in range(30):
        refused = await (await client_of(alice)).get("/api/conversations")
        assert refused.status_code == 429
        assert refused["Retry-After"] == "1"
        assert refused.json()["error"]["code"] == "rate_limited"
    assert (await (await client_of(bob)).get("/api/conversations")).status_code == 200
    await unread[0].leave()
    assert (await (await client_of(alice)).get("/api/conversations")).status_code == 200
    for reader in unread[1:]:
        await reader.all()
    assert not json_view.REQUESTS._running


async def test_long_answers_are_fewer(alice: User) -> None:
    home = await sync_to_async(fill)(alice, SHAPES["one long one"])
    path = f"/api/conversations/{home.pk}"
    unread = [await reader_of(alice, path) for _ in range(3)]
    for reader in unread:
        await reader.until_waiting()
    client = await client_of(alice)
    refused = await client.get(path)
    assert (refused.status_code, refused["Retry-After"]) == (429, "1")
    assert (await client.get("/api/conversations")).status_code == 200
    for reader in unread:
        await reader.leave()
    assert (await client.get(path)).status_code == 200


async def test_who_leaves_before_the_answer_gives_the_place_back(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_view, "REQUESTS", ConcurrencyLimit(1))
    reader = await reader_of(alice, "/api/conversations")
    await reader.leave()
    gc.collect()
    await until(lambda: not json_view.REQUESTS._running)


@pytest.mark.parametrize("status", [400, 404, 405, 500])
async def test_what_fails_gives_the_place_back(
    alice: User, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_view, "REQUESTS", ConcurrencyLimit(1))
    client = AsyncClient(raise_request_exception=False)
    await client.aforce_login(alice)
    paths = {
        400: "/api/conversations?x=1",
        404: f"/api/conversations/{uuid4()}",
        405: "/api/keys/" + str(uuid4()),
    }
    if status == 500:
        monkeypatch.setattr(conversations, "folders_of", None)
    for _ in range(3):
        answer = await client.get(paths.get(status, "/api/conversations"))
        assert answer.status_code == status
    gc.collect()
    assert not json_view.REQUESTS._running


@pytest.mark.parametrize("format", ["markdown", "json"])
def test_the_export_of_a_long_conversation_is_a_job(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    user = make_user("alice")
    short, long = fill(user, [("Hi", "")]), fill(user, [("x" * 2_000, "y" * 2_000)])
    monkeypatch.setattr(exporting, "MAX_CHARS_AT_ONCE", 3_000)
    client = Client()
    client.force_login(user)
    at = "/api/conversations/{}/export?format={}".format
    assert (
        client.head(at(short.pk, format)).status_code == client.get(at(short.pk, format)).status_code == 200
    )
    refused = client.get(at(long.pk, format))
    assert (client.head(at(long.pk, format)).status_code, refused.status_code) == (413, 413)
    assert "/api/archive/exports" in refused.json()["error"]["message"]
    assert client.get(at(uuid4(), format)).status_code == 404
