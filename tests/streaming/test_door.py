"""Both doors refuse when the engine's status says so, and tell how long by the queue's own measure."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async
from django.http import HttpResponseBase
from django.test import AsyncClient

from chatsite.accounts.keys import do_create_key
from chatsite.accounts.models import ApiKey, User
from chatsite.backends import status_store
from chatsite.generations.models import Generation
from chatsite.openai_api import sse
from inference.engines.base import EngineInfo
from inference.status import InferenceStatus
from tests.support.people import make_user
from tests.support.socket import open_socket

pytestmark = pytest.mark.django_db(transaction=True)

ENGINE = EngineInfo(engine="emulated", model="m", context_tokens=4_096, kv_tokens=9_000, max_running=4)


async def publish(**fields: float) -> None:
    await status_store().publish(InferenceStatus(at=time.time(), state="ready", info=ENGINE, **fields))  # type: ignore[arg-type]


@pytest.fixture
async def alice(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[User]:
    monkeypatch.setattr(sse, "ANSWER_WITHIN_S", 0.01)
    yield await sync_to_async(make_user)("alice")
    # Redis outlives a test.
    await status_store().publish(InferenceStatus(at=0, state="down"))


async def by_key(user: User) -> HttpResponseBase:
    _, key = await sync_to_async(do_create_key)(user.pk, "a", ApiKey.Scope.values)
    body = {"model": "m", "messages": [{"role": "user", "content": "Why?"}], "stream": True}
    headers = {"Authorization": f"Bearer {key}"}
    return await AsyncClient().post(
        "/v1/chat/completions", body, content_type="application/json", headers=headers
    )


async def test_an_engine_that_keeps_failing(alice: User) -> None:
    await publish(refused_for_s=7.4)
    socket = await open_socket(alice)
    frame = await socket.submit("Hello")
    assert (frame["type"], frame["code"], frame["retry_after_s"]) == ("rejected", "engine_unavailable", 7.4)
    answer = await by_key(alice)
    assert (answer.status_code, answer["Retry-After"]) == (503, "8")
    assert not await sync_to_async(Generation.objects.exists)()
    await publish()
    assert (await socket.submit("Hello"))["type"] == "accepted"
    await socket.disconnect()


async def test_a_full_site_tells_when_its_line_will_have_been_served(alice: User, settings) -> None:
    settings.MAX_ACTIVE_GENERATIONS = 1
    await publish(retry_after_s=42.0)
    socket = await open_socket(alice)
    assert (await socket.submit("Hello"))["type"] == "accepted"
    frame = await socket.submit("Hello")
    assert (frame["type"], frame["code"], frame["retry_after_s"]) == ("rejected", "queue_full", 42.0)
    answer = await by_key(alice)
    assert (answer.status_code, answer["Retry-After"]) == (503, "42")
    await socket.disconnect()
