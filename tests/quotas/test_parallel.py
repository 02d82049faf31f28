"""Fifty questions at once on a nearly spent budget: not one token over, and nothing left reserved.

Runs on SQLite, and again on PostgreSQL by `python -m tests.support.services`.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO

import pytest
from channels.db import database_sync_to_async as in_thread
from django.core.management import call_command
from django.db import connection
from django.db.models import Sum
from django.test import AsyncClient
from django.utils import timezone

from chatsite import ratelimit
from chatsite.accounts.keys import do_create_key
from chatsite.accounts.models import ApiKey
from chatsite.errors import Refusal
from chatsite.generations.models import Generation
from chatsite.generations.submit import Submitted
from chatsite.quotas.ledger import open_reservations
from chatsite.quotas.models import Balance, Grant, LedgerEntry
from tests.support.connections import own_connections
from tests.support.people import make_user, submit
from tests.support.plans import assign, end
from tests.support.silent_engine import ENGINE, engine
from tests.support.socket import open_socket

__all__ = ["engine", "own_connections"]

pytestmark = pytest.mark.django_db(transaction=True)

PARALLEL = 50
FITTING = 7
MAX_OUTPUT = 40
QUESTION = "Why is the sky blue?"


@pytest.fixture(autouse=True)
def no_other_limits(settings, monkeypatch) -> None:
    settings.MAX_ACTIVE_PER_USER = settings.MAX_ACTIVE_GENERATIONS = settings.RATE_LIMIT_PER_MINUTE = 1000
    monkeypatch.setattr(ratelimit, "USER_PER_SECOND", 1000)


@pytest.fixture
def cost() -> int:
    """What one of these questions reserves."""
    probe = submit(make_user("probe"), QUESTION)
    job = Generation.objects.get(id=probe.generation)
    end(probe, "cancelled", 0, started=False)
    return job.prompt_tokens + MAX_OUTPUT


def ask(user) -> Submitted | str:
    try:
        return submit(user, QUESTION)
    except Refusal as refusal:
        return refusal.code
    finally:
        connection.close()


def booked(user) -> int:
    return LedgerEntry.objects.filter(user=user).aggregate(sum=Sum("tokens"))["sum"]


def reconciled() -> str:
    out = StringIO()
    call_command("reconcile", "--dry-run", stdout=out)
    return out.getvalue()


def test_threads_cannot_exceed_a_budget_by_one_token(cost: int) -> None:
    alice = make_user("alice")
    assign(user=alice, tokens_per_day=FITTING * cost + cost - 1, max_output=MAX_OUTPUT)
    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = list(pool.map(ask, [alice] * PARALLEL))
    accepted = [answer for answer in answers if isinstance(answer, Submitted)]
    assert len(accepted) == FITTING
    assert answers.count("quota_exceeded") == PARALLEL - FITTING
    assert booked(alice) == FITTING * cost == Balance.objects.get(user=alice).day_tokens


def test_plan_and_grant_together_are_exact(cost: int) -> None:
    alice = make_user("alice")
    assign(user=alice, tokens_per_day=2 * cost + 1, max_output=MAX_OUTPUT)
    ends_at = timezone.now() + timedelta(days=1)
    for tokens in (cost, cost + cost // 2):
        Grant.objects.create(user=alice, tokens=tokens, reason="test", ends_at=ends_at)
    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = list(pool.map(ask, [alice] * PARALLEL))
    accepted = [answer for answer in answers if isinstance(answer, Submitted)]
    assert len(accepted) == 4
    for done in accepted:
        end(done, completion_tokens=1)
    assert not open_reservations().exists()
    assert reconciled().startswith("0 differences")


async def test_sockets_and_threads_mixed(cost: int) -> None:
    alice = await in_thread(make_user)("alice")
    await in_thread(assign)(user=alice, tokens_per_day=FITTING * cost + cost - 1, max_output=MAX_OUTPUT)
    sockets = [await open_socket(alice) for _ in range(5)]
    with ThreadPoolExecutor(PARALLEL // 2) as pool:
        loop = asyncio.get_running_loop()
        direct = [loop.run_in_executor(pool, ask, alice) for _ in range(PARALLEL // 2)]
        frames = await asyncio.gather(*(ask_often(socket, PARALLEL // 10) for socket in sockets))
        answers = await asyncio.gather(*direct)
    accepted = [answer for answer in answers if isinstance(answer, Submitted)]
    by_socket = [frame for several in frames for frame in several if frame["type"] == "accepted"]
    assert len(accepted) + len(by_socket) == FITTING
    assert await in_thread(booked)(alice) == FITTING * cost
    for socket in sockets:
        await socket.disconnect()
    await in_thread(end_all)()
    await in_thread(check_end)()


async def test_sockets_and_programs_mixed(cost: int, own_connections: None, engine: None) -> None:
    """Half by open pages, half by `/v1` with keys of the same person: one budget."""
    alice = await in_thread(make_user)("alice")
    await in_thread(assign)(user=alice, tokens_per_day=FITTING * cost + cost - 1, max_output=MAX_OUTPUT)
    _key, text = await in_thread(do_create_key)(alice.pk, "a script", ApiKey.Scope.values)
    sockets = [await open_socket(alice) for _ in range(5)]
    programs = [ask_by_program(text) for _ in range(PARALLEL // 2)]
    pages = [ask_often(socket, PARALLEL // 10) for socket in sockets]
    statuses, *frames = await asyncio.gather(asyncio.gather(*programs), *pages)
    by_socket = [frame.get("code", frame["type"]) for several in frames for frame in several]
    assert set(statuses) <= {200, 429}
    assert set(by_socket) <= {"accepted", "quota_exceeded"}
    assert statuses.count(200) + by_socket.count("accepted") == FITTING
    assert await in_thread(booked)(alice) == FITTING * cost
    for socket in sockets:
        await socket.disconnect()
    await in_thread(end_all)()
    await in_thread(check_end)()


async def ask_by_program(key: str) -> int:
    asked = {"model": ENGINE.model, "messages": [{"role": "user", "content": QUESTION}], "stream": True}
    headers = {"Authorization": f"Bearer {key}"}
    answer = await AsyncClient().post(
        "/v1/chat/completions", asked, content_type="application/json", headers=headers
    )
    return answer.status_code


async def ask_often(socket, times: int) -> list[dict]:
    return [await socket.submit(QUESTION) for _ in range(times)]


def check_end() -> None:
    assert not open_reservations().exists()
    assert reconciled().startswith("0 differences")
    connection.close()


def end_all() -> None:
    for job in Generation.objects.filter(status="queued").select_related("answer"):
        end(Submitted(job.conversation_id, job.answer.parent_id, job.answer_id, job.id, True))
