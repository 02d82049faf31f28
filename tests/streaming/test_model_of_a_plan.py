"""A person whose plan names models asks by socket only while one of them answers."""

from __future__ import annotations

import time

import pytest
from asgiref.sync import sync_to_async

from chatsite.backends import status_store
from chatsite.generations.models import Generation
from inference.engines.base import EngineInfo
from inference.status import InferenceStatus
from tests.support.people import make_user
from tests.support.plans import assign
from tests.support.socket import open_socket

pytestmark = pytest.mark.django_db(transaction=True)


async def test_by_the_model_that_answers_now() -> None:
    alice = await sync_to_async(make_user)("alice")
    await sync_to_async(assign)(model_names="m-small")
    socket = await open_socket(alice)
    for model, outcome in (("", "engine_unavailable"), ("m-large", "not_in_plan"), ("m-small", "accepted")):
        info = EngineInfo(engine="emulated", model=model, context_tokens=900, kv_tokens=900, max_running=4)
        await status_store().publish(
            InferenceStatus(at=time.time(), state="ready", info=info if model else None)
        )
        frame = await socket.submit("Why?")
        assert frame.get("code", frame["type"]) == outcome
    assert await Generation.objects.acount() == 1
    await status_store().publish(InferenceStatus(at=0, state="down"))
    await socket.disconnect()
