"""Deleting a conversation stops what is asked in it, and tells every open page of its owner."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.test import AsyncClient, Client

from chatsite.conversations.models import Conversation
from chatsite.generations.delete import do_delete_and_stop
from chatsite.generations.models import Generation, GenerationStatus
from chatsite.generations.wakeup import CHANNEL
from tests.support.people import make_user, submit
from tests.support.socket import open_socket
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)


def wished_to_stop() -> set[UUID]:
    return set(Generation.objects.filter(cancel_requested=True).values_list("id", flat=True))


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("status", [GenerationStatus.QUEUED, GenerationStatus.RUNNING])
def test_what_waits_and_what_runs_is_stopped(count: int, status: str) -> None:
    alice = make_user("alice")
    asked = [submit(alice) for _ in range(count)]
    stays = submit(alice)
    Generation.objects.update(status=status)
    do_delete_and_stop(alice.pk, [done.conversation for done in asked])
    assert wished_to_stop() == {done.generation for done in asked}
    assert Generation.objects.get(id=stays.generation).cancel_requested is False


def test_what_has_ended_is_left_as_it_is() -> None:
    alice = make_user("alice")
    done = submit(alice)
    Generation.objects.update(status=GenerationStatus.FINISHED)
    do_delete_and_stop(alice.pk, [done.conversation])
    assert not wished_to_stop()


@pytest.mark.parametrize("foreign", ["bob", "nobody"])
def test_nothing_stops_where_one_of_them_is_not_ones_own(foreign: str) -> None:
    alice, bob = make_user("alice"), make_user("bob")
    hers, his = submit(alice), submit(bob)
    other = his.conversation if foreign == "bob" else UUID(int=7)
    client = Client()
    client.force_login(alice)
    body = {"ids": [str(hers.conversation), str(other)]}
    assert client.post("/api/conversations/delete", body, content_type="application/json").status_code == 404
    assert not wished_to_stop()
    assert not Conversation.objects.exclude(deleted_at=None).exists()


@pytest.mark.parametrize("picked", [1, 3])
async def test_the_worker_is_woken_and_every_other_page_told_of_each(picked: int) -> None:
    alice = await sync_to_async(make_user)("alice")
    asked = [await sync_to_async(submit)(alice) for _ in range(picked)]
    socket = await open_socket(alice)
    await socket.frame("hello")
    client = AsyncClient()
    await sync_to_async(client.force_login)(alice)
    ids = [str(done.conversation) for done in asked]
    if picked == 1:
        answer = await client.delete(f"/api/conversations/{ids[0]}")
    else:
        answer = await client.post("/api/conversations/delete", {"ids": ids}, content_type="application/json")
    assert answer.status_code == 204
    told = [(await socket.frame("changed"))["conversation"] for _ in ids]
    assert sorted(told) == sorted(ids)
    stopped = {str(done.generation) for done in asked}
    async with asyncio.timeout(PATIENCE_S):
        while (event := await get_channel_layer().receive(CHANNEL))["id"] not in stopped:
            pass  # an earlier test's
    assert event["type"] == "generation.cancelled"
    await socket.disconnect()
