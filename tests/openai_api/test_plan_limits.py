"""A key cannot do on `/v1` what its owner's plan forbids; nor does one person's plan bind another.

Owner: alice, on a plan. Teammate: bob, of the same group or of none. Outsider: charlie, whom no plan names.
No engine runs here, so what is accepted stays queued, as a stream that has not begun.
"""

from __future__ import annotations

import asyncio
import time
from ipaddress import ip_network
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.http import HttpResponseBase
from django.test import AsyncClient

from chatsite import ratelimit
from chatsite.accounts.keys import do_create_key
from chatsite.accounts.models import ApiKey, User
from chatsite.conversations.models import Conversation
from chatsite.generations.models import Generation
from chatsite.openai_api.request_mapping import BATCH_HEADER
from chatsite.quotas.models import Grant, PlanAssignment
from tests.support.people import make_user
from tests.support.plans import assign
from tests.support.silent_engine import engine

__all__ = ["engine"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_connections", "one_window", "engine"),
]

ASKED = {"model": "m", "messages": [{"role": "user", "content": "Why?"}], "max_tokens": 100, "stream": True}


class Caller:
    """A person, and programs with keys of theirs."""

    def __init__(self, user: User, *keys: tuple[ApiKey, str]) -> None:
        self.user = user
        self.keys = [text for _, text in keys]

    async def ask(self, number: int = 0, **fields: Any) -> HttpResponseBase:
        return await self.post("/v1/chat/completions", {**ASKED, **fields}, number)

    async def post(
        self, path: str, body: dict[str, Any], number: int = 0, address: str = "127.0.0.1"
    ) -> HttpResponseBase:
        headers = {"Authorization": f"Bearer {self.keys[number]}", "X-Forwarded-For": address}
        return await AsyncClient().post(path, body, content_type="application/json", headers=headers)


def make_caller(name: str) -> Caller:
    user = make_user(name)
    return Caller(user, *(do_create_key(user.pk, f"key {n}", ApiKey.Scope.values) for n in range(2)))


@pytest.fixture
async def alice(own_connections: None) -> Caller:
    return await sync_to_async(make_caller)("alice")


@pytest.fixture
async def bob(own_connections: None) -> Caller:
    return await sync_to_async(make_caller)("bob")


@pytest.fixture
async def charlie(own_connections: None) -> Caller:
    return await sync_to_async(make_caller)("charlie")


@sync_to_async
def plan_of(caller: Caller, name: str = "Own", **limits: Any) -> None:
    assign(name, user=caller.user, **limits)


@sync_to_async
def plan_of_a_group(*members: Caller, **limits: Any) -> None:
    group = Group.objects.create(name="team")
    group.user_set.set(member.user for member in members)
    assign("Team", group=group, **limits)


def refused(answer: HttpResponseBase, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status
    error: dict[str, Any] = answer.json()["error"]  # type: ignore[attr-defined]
    assert error["code"] == code
    return error


async def test_requests_a_minute(alice: Caller, bob: Caller, one_window: int) -> None:
    await plan_of(alice, requests_per_minute=2)
    answers = [await alice.ask(number) for number in (0, 1)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer["x-ratelimit-remaining-requests"] for answer in answers] == ["1", "0"]
    longest = one_window - int(time.time())
    answer = await alice.ask()
    refused(answer, 429, "rate_limit_exceeded")
    assert one_window - time.time() <= int(answer["Retry-After"]) <= longest
    assert (await bob.ask()).status_code == 200


async def test_tokens_a_day(alice: Caller, bob: Caller) -> None:
    await plan_of(alice, tokens_per_day=150)
    first = await alice.ask()
    assert first.status_code == 200
    assert first["x-ratelimit-limit-tokens"] == "150"
    assert int(first["x-ratelimit-remaining-tokens"]) < 50
    for number in (0, 1):
        answer = await alice.ask(number)
        refused(answer, 429, "insufficient_quota")
        assert answer["x-should-retry"] == "false"
    assert (await alice.ask(max_tokens=5)).status_code == 200, "a smaller one still fits"
    assert (await bob.ask()).status_code == 200


async def test_tokens_a_month_and_a_grant_on_top(alice: Caller) -> None:
    await plan_of(alice, tokens_per_month=50)
    refused(await alice.ask(), 429, "insufficient_quota")
    ends = Grant._meta.get_field("created_at").get_default()
    await Grant.objects.acreate(user=alice.user, tokens=500, reason="a test", ends_at=ends.replace(year=2099))
    assert (await alice.ask()).status_code == 200


async def test_a_keys_own_budget_is_inside_its_owners(alice: Caller) -> None:
    await plan_of(alice, tokens_per_day=10_000)
    await ApiKey.objects.filter(owner=alice.user, name="key 0").aupdate(token_budget=150)
    assert (await alice.ask(0)).status_code == 200
    refused(await alice.ask(0), 429, "insufficient_quota")
    assert (await alice.ask(1)).status_code == 200
    await ApiKey.objects.filter(owner=alice.user, name="key 0").aupdate(token_budget=10**9)
    await PlanAssignment.objects.filter(user=alice.user).adelete()
    await plan_of(alice, name="Small", tokens_per_day=220)
    refused(await alice.ask(0), 429, "insufficient_quota")


async def test_questions_at_once(alice: Caller, bob: Caller) -> None:
    await plan_of(alice, max_active=2)
    assert [(await alice.ask(n)).status_code for n in (0, 1)] == [200, 200]
    answer = await alice.ask(0)
    refused(answer, 503, "queue_full")
    assert answer["Retry-After"] == "4"
    assert (await bob.ask()).status_code == 200


async def test_five_at_the_same_moment_get_no_more_places(alice: Caller) -> None:
    await plan_of(alice, max_active=3)
    answers = await asyncio.gather(*(alice.ask(n % 2) for n in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 503, 503]


async def test_the_longest_answer(alice: Caller) -> None:
    await plan_of(alice, max_output=20)
    for fields in ({}, {"max_completion_tokens": 3_000}, {"max_tokens": None}):
        assert (await alice.ask(**fields)).status_code == 200
    longest = [job.max_tokens async for job in Generation.objects.all()]
    assert longest == [20, 20, 20]


async def test_the_longest_context(alice: Caller, bob: Caller) -> None:
    await plan_of(alice, max_context=30)
    long = [{"role": "user", "content": "word " * 100}]
    error = refused(await alice.ask(messages=long), 400, "context_length_exceeded")
    assert "Own (own plan)" in error["message"]
    assert (await bob.ask(messages=long)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
async def test_the_api_itself(alice: Caller, bob: Caller, charlie: Caller, path: str) -> None:
    """Of the group, owner and teammate are refused; the outsider, whom no plan names, is not."""
    await plan_of_a_group(alice, bob, allow_api=False)
    body = {"model": "m", "prompt": "Why?", "stream": True} if path == "/v1/completions" else ASKED
    for caller in (alice, bob):
        refused(await caller.post(path, body), 403, "not_in_plan")
    assert (await charlie.post(path, body)).status_code == 200


@pytest.mark.parametrize("fields", [{"priority": 1}, {"service_tier": "flex"}])
async def test_batches(alice: Caller, bob: Caller, fields: dict[str, object]) -> None:
    await plan_of(alice, allow_batch=False)
    refused(await alice.ask(**fields), 403, "not_in_plan")
    assert (await alice.ask()).status_code == 200
    assert (await bob.ask(**fields)).status_code == 200


async def test_the_model(alice: Caller, bob: Caller) -> None:
    await plan_of(alice, model_names="another")
    error = refused(await alice.ask(), 403, "not_in_plan")
    assert "The model m is not part of plan Own (own plan), which holds another." in error["message"]
    assert (await bob.ask()).status_code == 200


@pytest.mark.parametrize(
    ("fields", "batch"),
    [({}, False), ({"priority": 0}, False), ({"priority": -5}, False), ({"priority": 3}, True)],
)
async def test_priority_lowers_and_never_raises(
    alice: Caller, fields: dict[str, object], batch: bool
) -> None:
    await alice.ask(**fields)
    job = await Generation.objects.aget()
    assert job.batch is batch
    assert "priority" not in job.sampling, "the field reaches no engine"


@pytest.mark.parametrize(("header", "batch"), [("1", True), ("true", True), ("0", False)])
async def test_the_header_may_lower_too(alice: Caller, header: str, batch: bool) -> None:
    headers = {"Authorization": f"Bearer {alice.keys[0]}", BATCH_HEADER: header}
    await AsyncClient().post("/v1/chat/completions", ASKED, content_type="application/json", headers=headers)
    assert (await Generation.objects.aget()).batch is batch


@pytest.mark.parametrize(
    ("fields", "kept"), [({}, False), ({"store": False}, False), ({"store": True}, True)]
)
async def test_only_what_shall_be_stored_is_in_the_history(
    alice: Caller, bob: Caller, fields: dict[str, object], kept: bool
) -> None:
    await alice.ask(**fields)
    await bob.ask()
    chat = await Conversation.objects.aget(owner=alice.user)
    assert chat.temporary is not kept
    browser = AsyncClient()
    await browser.aforce_login(alice.user)
    shown = (await browser.get("/api/conversations")).json()["conversations"]
    assert [one["id"] for one in shown] == ([str(chat.id)] if kept else [])


async def test_what_is_refused_leaves_nothing(alice: Caller) -> None:
    await plan_of(alice, tokens_per_day=5, max_context=30)
    await alice.ask()
    await alice.ask(messages=[{"role": "user", "content": "word " * 100}])
    assert not await Generation.objects.aexists()


async def test_questions_from_one_address_are_counted_over_keys_and_people(
    alice: Caller, bob: Caller, charlie: Caller, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.1")]
    monkeypatch.setattr(ratelimit, "ADDRESS_PER_SECOND", 1)
    told = []
    for who, path, address in (
        (alice, "/v1/chat/completions", "192.0.2.1"),
        (bob, "/v1/chat/completions", "192.0.2.1"),
        (bob, "/v1/completions", "192.0.2.1"),
        (charlie, "/v1/completions", "192.0.2.2"),
    ):
        asked = ASKED if "chat" in path else {"model": "m", "prompt": "Why?", "max_tokens": 9, "stream": True}
        told.append((await who.post(path, asked, address=address)).status_code)
    assert told == [200, 429, 429, 200]
