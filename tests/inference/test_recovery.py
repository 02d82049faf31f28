"""After a crash: how long a site needs before it serves again does not grow with what ran."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from asgiref.sync import sync_to_async

from chatsite.conversations.models import Conversation
from chatsite.generations.models import Generation
from inference.dispatch.store import Claim
from inference.stream_log.base import Delta, Event, FencedError
from inference.stream_log.memory import MemoryStreamLog
from inference.worker import recovery
from inference.worker.owner import next_epoch
from inference.worker.recorder import Recorder
from tests.support.people import make_user, submit
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)

RUNNING = 12


class Elsewhere(MemoryStreamLog):
    """A log in a server of its own, which has lost everything. `asked`: of which generations, in order."""

    outlives_process = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def read(self, generation: str, after: int) -> list[Event]:
        self.asked.append(generation)
        return await super().read(generation, after)


@sync_to_async
def crashed() -> None:
    """Answers that an owner was writing when it died; some of each is stored."""
    recorder = Recorder(next_epoch(), lambda: "model-x")
    alice = make_user("alice")
    for number in range(RUNNING):
        id = submit(alice, f"Question {number}").generation
        recorder.do_claim([Claim(str(id), 1)])
    Generation.objects.update(seq=3)


async def recovered(stream_log: MemoryStreamLog) -> list[str]:
    recorder = Recorder(await sync_to_async(next_epoch)(), lambda: "model-x")
    assert await recovery.recover(recorder, stream_log) == RUNNING
    return await sync_to_async(lambda: list(Generation.objects.values_list("status", flat=True)))()


async def test_a_log_that_died_with_its_process_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "READ_PAUSE_S", 2 * PATIENCE_S)
    await crashed()
    async with asyncio.timeout(PATIENCE_S):
        assert await recovered(MemoryStreamLog()) == ["interrupted"] * RUNNING


async def test_another_is_waited_for_once_and_not_for_each_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are asked for before the first pause, and as often as the log may need to come back."""
    monkeypatch.setattr(recovery, "READ_PAUSE_S", 0.01)
    await crashed()
    log = Elsewhere()
    assert await recovered(log) == ["interrupted"] * RUNNING
    assert len(set(log.asked[:RUNNING])) == RUNNING
    assert set(Counter(log.asked).values()) == {recovery.READ_TRIES}


class StillWritten(MemoryStreamLog):
    """A log to which the former owner, cut off from the database alone, adds a word whenever it is read."""

    def __init__(self, former: int) -> None:
        super().__init__()
        self.former = former
        self.fenced = 0

    async def read(self, generation: str, after: int) -> list[Event]:
        events = await super().read(generation, after)
        try:
            await self.append([(generation, Delta(events[-1].seq + 1, "more"))], epoch=self.former)
        except FencedError:
            self.fenced += 1
        return events


async def test_nothing_is_seen_that_is_not_kept() -> None:
    await crashed()
    rows = await sync_to_async(lambda: list(Generation.objects.all()))()
    log = StillWritten(rows[0].epoch)
    words = [(str(row.id), Delta(seq, f"{seq} ")) for row in rows for seq in range(1, 6)]
    assert not await log.append(words, epoch=log.former)
    assert await recovered(log) == ["interrupted"] * RUNNING
    assert log.fenced == RUNNING
    seqs = await sync_to_async(lambda: set(Generation.objects.values_list("seq", "answer__content")))()
    assert seqs == {(5, "4 5 ")}, "what was stored, and what the log held behind it"


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
