"""The person's sockets are told how they stand: at the start, at each question, when an answer is settled."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from chatsite.accounts.socket_events import notify_user
from chatsite.generations.models import Generation
from tests.support.people import make_user
from tests.support.plans import assign
from tests.support.socket import open_socket

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def alice():
    return await sync_to_async(make_user)("alice")


async def test_budgets_come_after_hello_and_after_each_question(alice) -> None:
    await sync_to_async(assign)(tokens_per_day=10_000, max_output=50)
    socket, other = await open_socket(alice), await open_socket(alice)
    (budget,) = (await socket.frame("quota"))["budgets"]
    assert (budget["name"], budget["used"], budget["limit"], budget["warn"]) == ("day", 0, 10_000, False)
    await other.frame("quota")
    await socket.submit("Hello")
    assert (await socket.frame("quota"))["budgets"][0]["used"] > 50
    assert (await other.frame("quota"))["budgets"][0]["used"] > 50, "another tab of the same person"
    await socket.disconnect()
    await other.disconnect()


async def test_a_change_by_an_administrator_is_told_at_once(alice) -> None:
    socket = await open_socket(alice)
    await socket.frame("hello")
    await sync_to_async(assign)(tokens_per_month=77)
    await notify_user(alice.pk, "quota.changed")
    assert (await socket.frame("quota"))["budgets"][0]["limit"] == 77
    await socket.disconnect()


async def test_nothing_is_said_where_nothing_limits(alice) -> None:
    socket = await open_socket(alice)
    await socket.frame("hello")
    assert (await socket.submit("Hello"))["type"] == "accepted"
    await socket.ask(type="ping")
    kinds = []
    while "pong" not in kinds:
        kinds.append((await socket.frame())["type"])
    assert "quota" not in kinds
    await socket.disconnect()


async def test_a_spent_budget_is_a_rejection_with_the_time_to_wait(alice) -> None:
    await sync_to_async(assign)(tokens_per_day=20, max_output=10)
    socket = await open_socket(alice)
    frame = await socket.submit("word " * 50)
    assert (frame["type"], frame["code"]) == ("rejected", "quota_exceeded")
    assert 0 < frame["retry_after_s"] <= 86_400
    assert frame["most"] == 20 < frame["needed"], "what is left, and what it would have taken"
    assert not await sync_to_async(Generation.objects.exists)()
    await socket.disconnect()


async def test_the_plans_rate_holds_where_the_sites_is_wider(alice) -> None:
    await sync_to_async(assign)(requests_per_minute=1)
    socket = await open_socket(alice)
    kinds = [(await socket.submit("Hello"))["type"] for _ in range(2)]
    assert kinds == ["accepted", "rejected"]
    await socket.disconnect()
