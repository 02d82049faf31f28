"""Sockets end with their session at once, however it ends; no look at all of them is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings as site
from django.contrib.sessions.models import Session
from django.test import Client

from chatsite.accounts.models import Role, User
from chatsite.asgi import application
from chatsite.console import live_socket
from chatsite.streaming import open_sockets
from chatsite.streaming.consumer import ChatConsumer
from tests.support.people import PASSWORD, make_user
from tests.support.socket import Socket, open_socket
from tests.support.staff import make_staff
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "a quiet river in spring"


@pytest.fixture(autouse=True)
def no_recheck(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is told closes a socket here."""
    monkeypatch.setattr(open_sockets, "RECHECK_S", 1e9)
    monkeypatch.setattr(live_socket, "REFRESH_S", 1e9)


def signed_in_client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    client.get("/")
    return client


async def close_code(socket: WebsocketCommunicator) -> int:
    """The code with which the server closes it; the browser's side leaves then."""
    async with asyncio.timeout(PATIENCE_S):
        while (event := await socket.receive_output(timeout=PATIENCE_S))["type"] != "websocket.close":
            pass
    await socket.disconnect()
    return int(event["code"])


async def is_open(socket: Socket) -> bool:
    await socket.ask(type="ping")
    return bool(await socket.frame("pong"))


def sign_out(_user: User, browser: Client) -> None:
    browser.post("/accounts/logout/")


def change_password(user: User, _browser: Client) -> None:
    other = signed_in_client(user)
    form = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    other.post("/accounts/password/change/", form)


def set_by_administrator(user: User, _browser: Client) -> None:
    found = User.objects.get(pk=user.pk)
    found.set_password(NEW)
    found.save(update_fields=["password"])


def made_unusable(user: User, _browser: Client) -> None:
    user.refresh_from_db()
    user.set_unusable_password()
    user.save()


def end_from_the_list(user: User, _browser: Client) -> None:
    signed_in_client(user).post("/accounts/sessions/")


def flushed(_user: User, browser: Client) -> None:
    browser.session.flush()


ENDS = [sign_out, change_password, set_by_administrator, made_unusable, end_from_the_list, flushed]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_the_end_of_a_session_closes_its_socket(end: Callable[[User, Client], None]) -> None:
    alice, bob = [await sync_to_async(make_user)(name, PASSWORD) for name in ("alice", "bob")]
    browser = await sync_to_async(signed_in_client)(alice)
    hers, his = await open_socket(alice, browser), await open_socket(bob)
    await hers.frame("hello")
    await his.frame("hello")
    await sync_to_async(end)(alice, browser)
    assert await close_code(hers) == 4401
    assert await is_open(his)
    await his.disconnect()


@pytest.mark.parametrize("end", [sign_out, flushed, end_from_the_list], ids=lambda end: end.__name__)
async def test_the_end_of_a_session_closes_a_console_page(end: Callable[[User, Client], None]) -> None:
    ada = await sync_to_async(make_staff)("ada", Role.AUDITOR)
    browser = await sync_to_async(signed_in_client)(ada)
    cookie = f"{site.SESSION_COOKIE_NAME}={browser.cookies[site.SESSION_COOKIE_NAME].value}"
    headers = [(b"origin", b"http://localhost"), (b"host", b"localhost"), (b"cookie", cookie.encode())]
    socket = WebsocketCommunicator(application, "/ws/console/", headers=headers)
    await socket.connect(timeout=PATIENCE_S)
    await socket.receive_from(PATIENCE_S)
    await sync_to_async(end)(ada, browser)
    assert await close_code(socket) == live_socket.NOT_STAFF


async def test_signing_out_here_leaves_the_other_browser() -> None:
    alice = await sync_to_async(make_user)("alice")
    here, there = [await sync_to_async(signed_in_client)(alice) for _ in range(2)]
    goes, stays = await open_socket(alice, here), await open_socket(alice, there)
    await stays.frame("hello")
    await sync_to_async(sign_out)(alice, here)
    assert await close_code(goes) == 4401
    assert await is_open(stays)
    await stays.disconnect()


@pytest.mark.parametrize("end", [sign_out, set_by_administrator, flushed], ids=lambda end: end.__name__)
async def test_a_session_that_ends_while_its_socket_opens(
    monkeypatch: pytest.MonkeyPatch, end: Callable[[User, Client], None]
) -> None:
    """After the handshake, before anybody could be told."""
    alice = await sync_to_async(make_user)("alice", PASSWORD)
    browser = await sync_to_async(signed_in_client)(alice)
    accept = ChatConsumer.accept

    async def accept_late(consumer: ChatConsumer) -> None:
        await sync_to_async(end)(alice, browser)
        await accept(consumer)

    monkeypatch.setattr(ChatConsumer, "accept", accept_late)
    socket = await open_socket(alice, browser)
    assert await close_code(socket) == 4401


async def test_an_unrelated_change_of_the_account_tells_nobody() -> None:
    alice = await sync_to_async(make_user)("alice")
    socket = await open_socket(alice)
    await socket.frame("hello")
    found = await User.objects.aget(pk=alice.pk)
    found.theme = "dark"
    await found.asave()
    assert await is_open(socket)
    assert await sync_to_async(Session.objects.count)() == 1
    await socket.disconnect()
