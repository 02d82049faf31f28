"""A question that is sent again is the same question, also for whoever may ask no other just now."""

from __future__ import annotations

from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async

from chatsite import ratelimit
from chatsite.generations.models import Generation
from tests.support.people import make_user
from tests.support.socket import open_socket

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("one_window")]


async def test_at_the_rate_limit_a_known_client_id_is_accepted_and_a_new_one_is_not(monkeypatch) -> None:
    monkeypatch.setattr(ratelimit, "USER_PER_SECOND", 1)
    alice = await sync_to_async(make_user)("alice")
    question = {"type": "submit", "id": str(uuid4()), "content": "Why is the sky blue?"}
    socket = await open_socket(alice)
    await socket.ask(**question)
    first = await socket.frame("accepted")
    assert (await socket.submit("Another"))["code"] == "rate_limited"
    await socket.ask(**question)
    again = await socket.frame("accepted")
    assert again == first
    regenerate = {"type": "regenerate", "id": question["id"], "message": first["answer"]}
    await socket.ask(**regenerate)
    assert await socket.frame("accepted") == first
    assert await Generation.objects.acount() == 1
    await socket.disconnect()
