"""Every open page of a person hears what another one changed, over HTTP too; nobody else does."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from tests.support.people import make_user, submit
from tests.support.socket import open_socket

pytestmark = pytest.mark.django_db(transaction=True)


async def test_renaming_and_deleting_are_told_to_ones_own_pages_alone() -> None:
    alice, bob = await sync_to_async(make_user)("alice"), await sync_to_async(make_user)("bob")
    done = await sync_to_async(submit)(alice)
    socket, stranger = await open_socket(alice), await open_socket(bob)
    for one in (socket, stranger):
        await one.frame("hello")
    client = AsyncClient()
    await sync_to_async(client.force_login)(alice)
    address = f"/api/conversations/{done.conversation}"
    for call in (
        client.patch(address, {"title": "New"}, content_type="application/json"),
        client.delete(address),
        client.post(
            "/api/conversations/restore", {"ids": [str(done.conversation)]}, content_type="application/json"
        ),
    ):
        assert (await call).status_code < 300
        assert (await socket.frame("changed"))["conversation"] == str(done.conversation)
    await stranger.ask(type="ping")
    while (kind := (await stranger.frame())["type"]) != "pong":
        assert kind != "changed"
    await socket.disconnect()
    await stranger.disconnect()
