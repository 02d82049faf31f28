"""Whatever a socket sends, it gets an answer with the right code, and nothing is stored or broken."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async

from chatsite.accounts.models import User
from chatsite.generations.models import Generation
from chatsite.ratelimit import FrameBucket
from tests.support.people import make_user, submit
from tests.support.socket import open_socket
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def alice():
    return await sync_to_async(make_user)("alice")


@pytest.fixture
async def socket(alice):
    socket = await open_socket(alice)
    await socket.frame("hello")
    yield socket
    await socket.disconnect()


ID = "6f1e1f5e-7d0c-4b59-9a0e-3c1f5d3c2b1a"


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        "null",
        "{}",
        '{"type": "delete_everything"}',
        '{"type": "submit"}',
        '{"type": "submit", "id": "1", "content": "x"}',
        f'{{"type": "submit", "id": "{ID}", "content": 5}}',
        f'{{"type": "submit", "id": "{ID}", "content": "x", "admin": true}}',
        f'{{"type": "submit", "id": "{ID}", "content": "x", "params": {{"temperature": 9}}}}',
        f'{{"type": "follow", "generation": "{ID}", "after": -1}}',
        "[" * 50_000,
        '{"x":' + "[" * 50_000,
        '{"type": "ping", "x":' + '{"y":' * 50_000,
    ],
)
async def test_what_is_no_frame_is_a_bad_frame(socket, text: str) -> None:
    await socket.send_to(text_data=text)
    assert (await socket.frame("error"))["code"] == "bad_frame"
    await socket.ask(type="ping")
    assert await socket.frame("pong")


async def test_binary_is_a_bad_frame(socket) -> None:
    await socket.send_to(bytes_data=b"\x00\xff")
    assert (await socket.frame("error"))["code"] == "bad_frame"


@pytest.mark.parametrize(
    ("content", "code"),
    [("   ", "empty"), ("x" * 262_145, "too_long"), ("a\x00", "forbidden_text"), ("\x07", "forbidden_text")],
)
async def test_refused_content_names_the_submit(socket, content: str, code: str) -> None:
    frame = await socket.submit(content)
    assert (frame["type"], frame["code"]) == ("rejected", code)
    assert not await sync_to_async(Generation.objects.exists)()


async def test_a_lone_surrogate_is_forbidden_text(socket) -> None:
    await socket.send_to(text_data=f'{{"type": "submit", "id": "{uuid4()}", "content": "\\ud800"}}')
    assert (await socket.frame("error"))["code"] == "forbidden_text"


async def test_other_peoples_ids_answer_like_missing_ones(socket) -> None:
    theirs = await sync_to_async(lambda: submit(make_user("bob")))()
    for generation in (theirs.generation, uuid4()):
        await socket.ask(type="follow", generation=str(generation))
        assert await socket.frame("error") == {
            "type": "error",
            "code": "not_found",
            "message": "There is no such generation.",
        }
        await socket.ask(type="cancel", generation=str(generation))
        assert (await socket.frame("error"))["code"] == "not_found"
    frame = await socket.submit("Hello", conversation=str(theirs.conversation))
    assert frame["code"] == "not_found"
    await socket.ask(type="regenerate", id=str(uuid4()), message=str(theirs.answer))
    assert (await socket.frame("rejected"))["code"] == "not_found"
    assert not (await sync_to_async(Generation.objects.get)(id=theirs.generation)).cancel_requested


async def test_a_flood_is_answered_once_and_then_closed(socket) -> None:
    for _ in range(350):
        await socket.send_to(text_data='{"type": "ping"}')
    kinds = []
    while (event := await socket.receive_output(timeout=PATIENCE_S))["type"] != "websocket.close":
        kinds.append(json.loads(event["text"])["type"])
    assert event["code"] == 4429
    assert kinds.count("error") == 1


def test_the_bucket_lets_the_rate_through_and_no_more() -> None:
    bucket = FrameBucket(rate=10, burst=5)
    at = 1e9
    taken = sum(bucket.take(at + n / 1000) for n in range(10_000))
    assert 100 <= taken <= 106


async def test_nobody_signed_in_gets_a_code_that_says_so(db) -> None:
    socket = await open_socket(None)
    assert (await socket.receive_output())["code"] == 4401
    await socket.disconnect()


async def test_another_site_cannot_open_a_socket(alice) -> None:
    from channels.testing import WebsocketCommunicator

    from chatsite.asgi import application

    foreign = WebsocketCommunicator(application, "/ws/chat/", headers=[(b"origin", b"https://evil.example")])
    connected, _ = await foreign.connect()
    assert not connected


async def test_a_deactivated_account_is_asked_again_at_each_question(socket, alice) -> None:
    alice.is_active = False
    await sync_to_async(alice.save)()
    assert (await socket.submit("Hello"))["type"] == "rejected"
    assert not await sync_to_async(Generation.objects.exists)()


async def test_a_changed_password_ends_old_sockets(socket, alice) -> None:
    alice.set_unusable_password()
    await sync_to_async(alice.save)()
    while (event := await socket.receive_output(PATIENCE_S))["type"] != "websocket.close":
        pass
    assert event["code"] == 4401


async def test_a_question_after_a_password_that_nobody_told_of_is_refused(socket, alice) -> None:
    await sync_to_async(User.objects.filter(pk=alice.pk).update)(password="!")
    frame = await socket.submit("Hello")
    assert "signed out" in frame["message"]


async def test_the_rate_per_minute_is_kept_and_says_when(socket, settings) -> None:
    settings.RATE_LIMIT_PER_MINUTE = 2
    kinds = [(await socket.submit("Hello"))["type"] for _ in range(3)]
    assert kinds == ["accepted", "accepted", "rejected"]
