"""A socket ends with its session: signed out, expired, or another password. Those of others stay."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from threading import Semaphore

import pytest
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.conf import settings as site
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.utils import timezone

from chatsite.accounts.models import User
from chatsite.accounts.sessions import which_ended
from chatsite.streaming import open_sockets
from tests.support.people import make_user
from tests.support.socket import Socket, open_socket
from tests.support.staff import signed_in
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_sockets, "POLL_S", 0.05)
    monkeypatch.setattr(open_sockets, "RECHECK_S", 0.0)


async def opened(user: User) -> Socket:
    socket = await open_socket(user)
    await socket.frame("hello")
    return socket


def key_of(socket: Socket) -> str:
    cookie = dict(socket.scope["headers"])[b"cookie"].decode()
    return cookie.removeprefix(f"{site.SESSION_COOKIE_NAME}=")


async def close_code(socket: Socket) -> int:
    async with asyncio.timeout(PATIENCE_S):
        while (event := await socket.receive_output(timeout=PATIENCE_S))["type"] != "websocket.close":
            pass
    code: int = event["code"]
    return code


async def is_open(socket: Socket) -> bool:
    await socket.ask(type="ping")
    return bool(await socket.frame("pong"))


def sign_out(key: str) -> None:
    Session.objects.get(session_key=key).delete()


def expire(key: str) -> None:
    Session.objects.filter(session_key=key).update(expire_date=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize("end", [sign_out, expire])
async def test_a_session_that_ends_takes_its_own_socket_along(end) -> None:
    alice = await sync_to_async(make_user)("alice")
    here, there = await opened(alice), await opened(alice)
    await database_sync_to_async(end)(key_of(here))
    assert await close_code(here) == 4401
    assert await is_open(there)
    await here.disconnect()
    await there.disconnect()


async def test_a_changed_password_takes_all_sockets_of_the_person_along() -> None:
    alice, bob = [await sync_to_async(make_user)(name) for name in ("alice", "bob")]
    hers, his = await opened(alice), await opened(bob)
    alice.set_password("a quiet river")
    await sync_to_async(alice.save)()
    assert await close_code(hers) == 4401
    assert await is_open(his)
    await hers.disconnect()
    await his.disconnect()


async def test_a_database_that_is_away_closes_nobody_and_is_asked_again(monkeypatch) -> None:
    alice = await sync_to_async(make_user)("alice")
    socket = await opened(alice)
    asked = Semaphore(0)

    def away(_held: object) -> list[bool]:
        asked.release()
        raise OperationalError("away")

    monkeypatch.setattr(open_sockets, "which_ended", away)
    assert [await asyncio.to_thread(asked.acquire, timeout=PATIENCE_S) for _ in range(3)] == [True] * 3
    assert await is_open(socket)
    monkeypatch.setattr(open_sockets, "which_ended", which_ended)
    await database_sync_to_async(sign_out)(key_of(socket))
    assert await close_code(socket) == 4401
    await socket.disconnect()


def test_many_sessions_cost_two_queries(django_assert_num_queries) -> None:
    people = [make_user(f"person-{n}") for n in range(20)]
    held = [(user.pk, signed_in(user).session) for user in people]
    held[3][1].delete()
    people[5].is_active = False
    people[5].save()
    for _, session in held:
        session.get("loaded")
    with django_assert_num_queries(2):
        ended = which_ended(held)
    assert [n for n, over in enumerate(ended) if over] == [3, 5]
