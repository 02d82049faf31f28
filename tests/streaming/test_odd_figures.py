"""Figures that an import brought and that are none of ours break no stream."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chatsite.generations.models import Generation
from chatsite.generations.stream import usage_of
from inference.request import Usage
from tests.support.people import make_user, submit
from tests.support.socket import open_socket


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ({"prompt_tokens": 3, "from_elsewhere": {"a": 1}}, Usage(prompt_tokens=3)),
        ({"prompt_tokens": "many"}, Usage()),
        ({"completion_tokens": 1, "total_s": None}, Usage(completion_tokens=1)),
        ([], Usage()),
    ],
)
def test_odd_figures_are_left_out(stored: Any, told: Usage) -> None:
    assert usage_of(Generation(usage=stored)) == told


@pytest.mark.django_db(transaction=True)
async def test_an_imported_answer_with_odd_figures_can_be_followed() -> None:
    alice = await sync_to_async(make_user)("alice")
    done = await sync_to_async(submit)(alice)
    ended = {"status": "finished", "finish_reason": "stop", "usage": {"odd": 1}}
    await Generation.objects.filter(id=done.generation).aupdate(**ended)
    socket = await open_socket(alice)
    await socket.ask(type="follow", generation=str(done.generation))
    assert (await socket.frame("finished"))["finish_reason"] == "stop"
    await socket.disconnect()
