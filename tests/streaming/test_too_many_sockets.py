"""Ten sockets a person, over all processes, none once they are deactivated; the 201st question is refused."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async
from redis.asyncio import Redis

from chatsite.accounts import presence
from chatsite.accounts.models import Role
from chatsite.accounts.presence import MemoryPresence, RedisPresence
from chatsite.generations.models import Generation
from chatsite.streaming.consumer import DEACTIVATED, NOT_SIGNED_IN, TOO_MANY
from tests.support.people import make_user, submit
from tests.support.socket import open_socket
from tests.support.staff import make_staff, signed_in
from tests.support.waiting import PATIENCE_S


@pytest.mark.django_db(transaction=True)
async def test_the_eleventh_socket_is_closed_and_a_free_place_is_given_again(settings) -> None:
    alice, bob = [await sync_to_async(make_user)(name) for name in ("alice", "bob")]
    ten = [await open_socket(alice) for _ in range(settings.MAX_SOCKETS_PER_USER)]
    for socket in ten:
        await socket.frame("hello")
    eleventh = await open_socket(alice)
    assert (await eleventh.receive_output())["code"] == TOO_MANY
    other = await open_socket(bob)
    await other.frame("hello")
    await ten.pop().disconnect()
    again = await open_socket(alice)
    await again.frame("hello")
    for socket in (*ten, again, other):
        await socket.disconnect()


@pytest.mark.django_db(transaction=True)
async def test_who_is_not_signed_in_takes_no_place(settings) -> None:
    settings.MAX_SOCKETS_PER_USER = 1
    for _ in range(3):
        stranger = await open_socket(None)
        assert (await stranger.receive_output())["code"] == NOT_SIGNED_IN


@pytest.mark.django_db(transaction=True)
async def test_one_generation_too_many_is_rejected_with_its_code(settings) -> None:
    settings.MAX_ACTIVE_GENERATIONS = 3
    alice, bob = [await sync_to_async(make_user)(name) for name in ("alice", "bob")]
    for _ in range(3):
        await sync_to_async(submit)(bob)
    socket = await open_socket(alice)
    frame = await socket.submit("Hello")
    assert (frame["type"], frame["code"]) == ("rejected", "queue_full")
    await socket.ask(type="ping")
    assert await socket.frame("pong")
    await socket.disconnect()


@pytest.mark.django_db(transaction=True)
async def test_the_201st_is_rejected_and_has_a_place_when_one_has_ended(settings) -> None:
    settings.MAX_ACTIVE_PER_USER = settings.MAX_ACTIVE_GENERATIONS
    alice, bob = [await sync_to_async(make_user)(name) for name in ("alice", "bob")]
    done = [await sync_to_async(submit)(bob) for _ in range(200)]
    socket = await open_socket(alice)
    frame = await socket.submit("Hello")
    assert (frame["type"], frame["code"]) == ("rejected", "queue_full")
    assert frame["message"].startswith("200 questions")
    assert await Generation.objects.acount() == 200
    await Generation.objects.filter(id=done[0].generation).aupdate(status="cancelled")
    assert (await socket.submit("Hello"))["type"] == "accepted"
    await socket.disconnect()


@pytest.mark.django_db(transaction=True)
async def test_deactivating_in_the_console_closes_sockets_and_stops_runs() -> None:
    alice, bob = [await sync_to_async(make_user)(name) for name in ("alice", "bob")]
    ada = await sync_to_async(make_staff)("ada", Role.ADMINISTRATOR)
    hers, his = [await open_socket(person) for person in (alice, alice)], await open_socket(bob)
    for socket in (*hers, his):
        await socket.frame("hello")
    run = UUID((await hers[0].submit("Hello"))["generation"])
    client = await sync_to_async(signed_in)(ada)
    form = {"email": alice.email, "name": alice.name, "role": "member"}
    await sync_to_async(client.post)(f"/admin/accounts/user/{alice.pk}/change/", form)
    for socket in hers:
        while (output := await socket.receive_output(PATIENCE_S))["type"] != "websocket.close":
            pass
        assert output["code"] == DEACTIVATED
    assert (await Generation.objects.aget(id=run)).cancel_requested
    await his.ask(type="ping")
    assert await his.frame("pong")
    await his.disconnect()


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
async def counters(request):
    """Two web processes' ways to count: with Redis they share, in memory there is one."""
    if request.param == "memory":
        one = MemoryPresence()
        yield one, one
        return
    clients = [Redis.from_url(request.getfixturevalue("redis_url")) for _ in range(2)]
    yield tuple(RedisPresence(client) for client in clients)
    for client in clients:
        await client.aclose()


async def test_processes_count_together(counters) -> None:
    one, other = counters
    names = [str(uuid4()) for _ in range(4)]
    assert await one.enter(7, names[0], 3)
    assert await other.enter(7, names[1], 3)
    assert await one.enter(7, names[2], 3)
    assert not await other.enter(7, names[3], 3)
    assert await one.enter(7, names[1], 3), "renewing is not entering"
    assert await other.enter(8, names[3], 3), "another person"
    await one.leave(7, names[0])
    assert await other.enter(7, names[3], 3)


@pytest.mark.redis
async def test_sockets_of_a_dead_process_stop_counting(redis_url: str, monkeypatch) -> None:
    client = Redis.from_url(redis_url)
    counter = RedisPresence(client)
    monkeypatch.setattr(presence, "LEASE_S", -1.0)
    await counter.enter(7, "dead", 1)
    assert await counter.enter(7, "living", 1)
    await client.aclose()


async def test_without_redis_nobody_is_refused() -> None:
    client = Redis.from_url("redis://127.0.0.1:1/0")
    assert await RedisPresence(client).enter(7, "socket", 1)
    await client.aclose()
