"""Signing out the other sessions closes their open pages, and this one's stays."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.test import Client

from tests.support.people import make_user
from tests.support.socket import open_socket
from tests.support.waiting import PATIENCE_S


@pytest.mark.django_db(transaction=True)
async def test_open_pages_of_a_session_that_was_signed_out_close() -> None:
    alice, here, there = await sync_to_async(make_user)("alice"), Client(), Client()
    for client in (here, there):
        await sync_to_async(client.force_login)(alice)
        await sync_to_async(client.get)("/")
    goes, stays = await open_socket(alice, there), await open_socket(alice, here)
    for socket in (goes, stays):
        await socket.frame("hello")
    await sync_to_async(here.post)("/accounts/sessions/")
    while (event := await goes.receive_output(PATIENCE_S))["type"] != "websocket.close":
        pass
    assert event["code"] == 4401
    await stays.ask(type="ping")
    await stays.frame("pong")
    await stays.disconnect()
    assert await sync_to_async(Session.objects.count)() == 1
