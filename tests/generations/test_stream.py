"""Following an answer: from the log alone, over a gap from the row, and to an end that the log has lost."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async

from chatsite.conversations.models import Message
from chatsite.errors import Refusal
from chatsite.generations import stream
from chatsite.generations.models import Generation, GenerationStatus
from chatsite.generations.stream import follow
from inference.request import Usage
from inference.stream_log.base import Delta, Event, Finished, Queued, Snapshot, StreamStatus
from inference.stream_log.memory import MemoryStreamLog
from tests.support.people import People, submit
from tests.support.waiting import PATIENCE_S, until

pytestmark = pytest.mark.django_db(transaction=True)

USAGE = Usage(prompt_tokens=3, completion_tokens=4)


@pytest.fixture
def log(monkeypatch) -> MemoryStreamLog:
    """The site's log, which holds three events of a stream."""
    log = MemoryStreamLog(max_entries=3)
    monkeypatch.setattr(stream, "stream_log", lambda: log)
    monkeypatch.setattr(stream, "GAP_RETRY_S", 0.01)
    return log


@pytest.fixture
def job(people: People) -> UUID:
    return submit(people.alice, "Why?").generation


async def append(log: MemoryStreamLog, job: UUID, *events: Event) -> None:
    for event in events:
        assert not await log.append([(str(job), event)], epoch=1)


@sync_to_async
def record(job: UUID, text: str, seq: int, status: GenerationStatus = GenerationStatus.RUNNING) -> None:
    """What the recorder wrote."""
    row = Generation.objects.get(id=job)
    Message.objects.filter(id=row.answer_id).update(content=text)
    usage = {"prompt_tokens": 3, "completion_tokens": 4}
    reason = "" if status in (GenerationStatus.QUEUED, GenerationStatus.RUNNING) else "stop"
    Generation.objects.filter(id=job).update(seq=seq, status=status, finish_reason=reason, usage=usage)


async def collect(user: int, job: UUID, after: int = 0, *, fresh: bool = False) -> list[Event | StreamStatus]:
    async with asyncio.timeout(PATIENCE_S):
        async with aclosing(follow(user, job, after, fresh=fresh)) as batches:
            return [event async for batch in batches for event in batch]


async def test_the_log_alone_is_enough_for_a_start(people, job, log, monkeypatch):
    monkeypatch.setattr(stream, "access_generation", None)  # whoever reads the row fails
    await log.publish_status({str(job): Queued(2, 1.5)})
    async with aclosing(follow(people.alice.pk, job, 0, fresh=True)) as batches:
        assert await anext(batches) == [Queued(2, 1.5)]
        await append(log, job, Delta(1, "a"), Delta(2, "b"))
        assert await anext(batches) == [Delta(2, "ab")], "what has come meanwhile is one event"
        await append(log, job, Finished(3, "stop", USAGE))
        assert [batch async for batch in batches] == [[Finished(3, "stop", USAGE)]]


async def test_a_cursor_is_followed_without_a_gap(people, job, log):
    await append(log, job, Delta(1, "a"), Delta(2, "b"), Finished(3, "stop", USAGE))
    assert await collect(people.alice.pk, job, 1) == [Delta(2, "b"), Finished(3, "stop", USAGE)]


async def test_a_gap_is_filled_from_the_row(people, job, log):
    await append(log, job, *(Delta(seq, str(seq)) for seq in range(1, 6)))
    await record(job, "123", 3)
    following = asyncio.create_task(collect(people.alice.pk, job))
    await append(log, job, Finished(6, "stop", USAGE))
    assert await following == [Snapshot(3, "123"), Delta(5, "45"), Finished(6, "stop", USAGE)]


async def test_a_row_that_does_not_reach_the_log_yet_is_read_again(people, job, log, monkeypatch):
    await append(log, job, *(Delta(seq, str(seq)) for seq in range(1, 6)))
    access, reads = stream.access_generation, []

    def counted(user_id: int, id: UUID) -> Generation:
        reads.append(id)
        return access(user_id, id)

    monkeypatch.setattr(stream, "access_generation", counted)
    following = asyncio.create_task(collect(people.alice.pk, job))
    await until(lambda: len(reads) >= 3)
    assert not following.done()
    await record(job, "12345", 5)
    await append(log, job, Finished(6, "stop", USAGE))
    assert await following == [Snapshot(5, "12345"), Finished(6, "stop", USAGE)]


async def test_an_end_that_the_log_lost_is_found_in_the_row(people, job, log, monkeypatch):
    monkeypatch.setattr(stream, "RECHECK_S", 0.05)
    await append(log, job, Delta(1, "a"))
    following = asyncio.create_task(collect(people.alice.pk, job, fresh=True))
    await record(job, "ab", 2, GenerationStatus.FINISHED)
    assert await following == [Delta(1, "a"), Snapshot(2, "ab"), Finished(3, "stop", USAGE)]


async def test_an_end_that_is_not_the_one_that_was_sent_gives_what_was_kept(people, job, monkeypatch):
    """More was sent than the recorder kept: the end follows another text than the reader's."""

    class Ahead(MemoryStreamLog):
        async def follow(self, generation, after):
            yield [Delta(1, "a"), Delta(2, "b"), Finished(2, "stop", USAGE)]

    log = Ahead()
    monkeypatch.setattr(stream, "stream_log", lambda: log)
    await record(job, "a", 1, GenerationStatus.INTERRUPTED)
    events = await collect(people.alice.pk, job, fresh=True)
    assert events == [Delta(2, "ab"), Snapshot(1, "a"), Finished(2, "stop", USAGE)]


@pytest.mark.parametrize("after", [0, 4, 9])
async def test_an_answer_that_has_ended_is_given_by_its_row(people, job, log, after):
    await record(job, "four", 4, GenerationStatus.FINISHED)
    before = [] if after == 4 else [Snapshot(4, "four")]
    assert await collect(people.alice.pk, job, after) == [*before, Finished(5, "stop", USAGE)]


async def test_a_stranger_follows_nothing(people, job, log):
    for other in (people.bob, people.charlie):
        with pytest.raises(Refusal) as refused:
            await collect(other.pk, job)
        assert refused.value.code == "not_found"


async def test_a_reader_that_leaves_lets_go_of_the_log(people, job, log):
    await append(log, job, Delta(1, "a"))
    batches = follow(people.alice.pk, job, 0, fresh=True)
    assert await anext(batches) == [Delta(1, "a")]
    assert log._streams[str(job)].readers == 1
    await batches.aclose()
    assert log._streams[str(job)].readers == 0
