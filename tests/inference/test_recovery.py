"""After a crash: how long a site needs before it serves again does not grow with what ran."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import sync_to_async

from chatsite.conversations.models import Conversation
from chatsite.generations.models import Generation
from inference.dispatch.store import Claim
from inference.stream_log.memory import MemoryStreamLog
from inference.worker import recovery
from inference.worker.owner import next_epoch
from inference.worker.recorder import Recorder
from tests.people import make_user, submit

pytestmark = pytest.mark.django_db(transaction=True)

RUNNING = 12
PAUSE_S = 0.25


class Elsewhere(MemoryStreamLog):
    """A log in a server of its own, which has lost everything."""

    outlives_process = True


@sync_to_async
def crashed() -> None:
    """Answers that an owner was writing when it died; some of each is stored."""
    recorder = Recorder(next_epoch(), lambda: "model-x")
    alice = make_user("alice")
    for number in range(RUNNING):
        id = submit(alice, f"Question {number}").generation
        recorder._claim([Claim(str(id), 1)])
    Generation.objects.update(seq=3)


async def recovered(stream_log: MemoryStreamLog) -> list[str]:
    recorder = Recorder(await sync_to_async(next_epoch)(), lambda: "model-x")
    assert await recovery.recover(recorder, stream_log) == RUNNING
    return await sync_to_async(lambda: list(Generation.objects.values_list("status", flat=True)))()


async def test_a_log_that_died_with_its_process_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "READ_PAUSE_S", 60.0)
    await crashed()
    async with asyncio.timeout(10):
        assert await recovered(MemoryStreamLog()) == ["interrupted"] * RUNNING


async def test_another_is_waited_for_once_and_not_for_each_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "READ_PAUSE_S", PAUSE_S)
    await crashed()
    waited = PAUSE_S * (recovery.READ_TRIES - 1)
    began = asyncio.get_running_loop().time()
    assert await recovered(Elsewhere()) == ["interrupted"] * RUNNING
    took = asyncio.get_running_loop().time() - began
    assert waited <= took < RUNNING * waited / 2


async def test_what_was_erased_while_it_was_answered_is_stopped() -> None:
    @sync_to_async
    def asked() -> tuple[str, str]:
        alice = make_user("alice")
        kept, gone = submit(alice, "Kept"), submit(alice, "Gone")
        Conversation.objects.filter(id=gone.conversation).delete()
        return str(kept.generation), str(gone.generation)

    kept, gone = await asked()
    stopped: list[str] = []
    await recovery.stop_erased(frozenset({kept, gone}), stopped.append)
    assert stopped == [gone]
