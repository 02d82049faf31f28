"""The Live page's socket: staff only, fresh, and over as soon as somebody is no longer staff."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client

from chatsite.accounts.models import Role
from chatsite.asgi import application
from chatsite.console import live_socket
from tests.support.people import make_user, submit
from tests.support.staff import make_staff
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def often(monkeypatch) -> None:
    monkeypatch.setattr(live_socket, "REFRESH_S", 0.05)


async def watch(user) -> WebsocketCommunicator:
    client = Client()
    await sync_to_async(client.force_login)(user)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    headers = [(b"origin", b"http://localhost"), (b"host", b"localhost"), (b"cookie", cookie.encode())]
    socket = WebsocketCommunicator(application, "/ws/console/?language=en", headers=headers)
    await socket.connect(timeout=PATIENCE_S)
    return socket


async def test_staff_watches_runs_come(monkeypatch) -> None:
    socket = await watch(await sync_to_async(make_staff)("ada", Role.AUDITOR))
    assert "Nothing runs." in await socket.receive_from(PATIENCE_S)
    await sync_to_async(lambda: submit(make_user("alice")))()
    while "Alice" not in (html := await socket.receive_from(PATIENCE_S)):
        assert "Nothing runs." in html
    await socket.disconnect()


async def test_members_are_turned_away_before_anything_is_read(monkeypatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(live_socket.LiveConsumer, "_render", lambda *given: asked.append(given) or "")
    socket = await watch(await sync_to_async(make_user)("alice"))
    assert (await socket.receive_output(PATIENCE_S))["code"] == live_socket.NOT_STAFF
    await socket.disconnect()
    assert not asked


async def test_who_is_no_longer_staff_sees_no_more() -> None:
    ada = await sync_to_async(make_staff)("ada", Role.ADMINISTRATOR)
    socket = await watch(ada)
    await socket.receive_from(PATIENCE_S)
    ada.role = Role.MEMBER
    await sync_to_async(ada.save)()
    async with asyncio.timeout(PATIENCE_S):
        while (output := await socket.receive_output(PATIENCE_S))["type"] == "websocket.send":
            pass
    assert output["code"] == live_socket.NOT_STAFF
