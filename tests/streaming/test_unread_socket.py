"""A socket that is not read holds one frame of text, whatever it follows; frames end where messages do."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from msgspec import json

from chatsite.accounts.models import User
from chatsite.conversations.models import Message
from chatsite.generations import stream
from chatsite.generations.models import Generation
from chatsite.server.backpressure import PushProducer
from chatsite.streaming.follower import PART_CHARS, Follower, SocketOutlet, cut_text
from chatsite.streaming.frames import DeltaFrame, FinishedFrame, ServerFrame, SnapshotFrame
from inference.stream_log.base import MERGED_CHARS, Delta, merge_deltas
from tests.support.people import make_user, submit
from tests.support.waiting import until, until_still

pytestmark = pytest.mark.django_db(transaction=True)

FOLLOWED = 20


class Unread:
    """A socket whose network takes nothing until it is told to."""

    def __init__(self, *, reads: bool = False) -> None:
        self.producer = PushProducer()
        self.reads = reads
        self.frames: list[ServerFrame] = []
        self.outlet = SocketOutlet(self._send, self.producer)

    async def _send(self, frame: ServerFrame) -> None:
        self.frames.append(frame)
        if not self.reads:
            self.producer.pauseProducing()

    def read_on(self) -> None:
        self.reads = True
        self.producer.resumeProducing()


@pytest.fixture
async def alice() -> User:
    return await sync_to_async(make_user)("alice")


async def finished(user: User, text: str, reasoning: str = "", seq: int = 50_000) -> UUID:
    done = await sync_to_async(submit)(user)
    await Message.objects.filter(id=done.answer).aupdate(content=text, reasoning=reasoning)
    await Generation.objects.filter(id=done.generation).aupdate(
        status="finished", finish_reason="stop", seq=seq
    )
    return done.generation


async def test_one_answer_is_read_and_one_frame_sent(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [await finished(alice, f"{n} " + "x" * 10_000) for n in range(FOLLOWED)]
    reads: list[UUID] = []
    access = stream.access_generation
    monkeypatch.setattr(stream, "access_generation", lambda user, id: (reads.append(id), access(user, id))[1])
    socket = Unread()
    tasks = [asyncio.create_task(Follower(alice.pk, id, 0, socket.outlet).run()) for id in ids]
    await until(lambda: socket.frames)
    assert await until_still(lambda: (len(socket.frames), len(reads))) == (1, 1)
    socket.read_on()
    await asyncio.gather(*tasks)
    snapshots = [frame for frame in socket.frames if isinstance(frame, SnapshotFrame)]
    assert {frame.generation for frame in snapshots} == set(ids)
    assert sum(isinstance(frame, FinishedFrame) for frame in socket.frames) == FOLLOWED


async def test_who_follows_again_and_again_unread_gets_nothing_more(alice: User) -> None:
    id = await finished(alice, "x" * 10_000)
    socket = Unread()
    tasks = [asyncio.create_task(Follower(alice.pk, id, 0, socket.outlet).run()) for _ in range(200)]
    await until(lambda: socket.frames)
    assert await until_still(lambda: len(socket.frames)) == 1
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not socket.outlet.turn.locked()
    socket.read_on()
    await Follower(alice.pk, id, 0, socket.outlet).run()


@pytest.mark.parametrize(
    ("text", "reasoning"),
    [
        ("x" * (PART_CHARS + 1), ""),
        ("🙂\x01" * (2 * PART_CHARS), ""),
        ("y" * 3 * PART_CHARS, "z" * 2 * PART_CHARS),
        ("", "z" * 3 * PART_CHARS),
    ],
    ids=["a little", "costly signs", "with thoughts", "only thoughts"],
)
@pytest.mark.parametrize("after", [0, 7])
async def test_a_long_answer_comes_in_frames_that_fit(
    alice: User, text: str, reasoning: str, after: int
) -> None:
    id = await finished(alice, text, reasoning)
    socket = Unread(reads=True)
    await Follower(alice.pk, id, after, socket.outlet).run()
    first, *rest, last = socket.frames
    assert isinstance(first, SnapshotFrame)
    assert all(isinstance(frame, DeltaFrame) for frame in rest)
    assert isinstance(last, FinishedFrame)
    parts = [first, *rest]
    assert "".join(part.text for part in parts) == text
    assert "".join(part.reasoning for part in parts) == reasoning
    seqs = [part.seq for part in parts]
    assert seqs == sorted(set(seqs))
    assert (seqs[0] > after, seqs[-1], last.seq) == (True, 50_000, 50_001)
    assert all(seq < 50_000 for seq in seqs[:-1]), "who comes back between them is behind"
    assert max(len(json.encode(part)) for part in parts) < 2**20


def test_parts_are_no_more_than_the_seqs_there_are() -> None:
    for most in (1, 2, 3):
        parts = cut_text("x" * 10 * PART_CHARS, "y", most)
        assert len(parts) <= most
        assert "".join(text for text, _ in parts) == "x" * 10 * PART_CHARS
    assert cut_text("", "", 5) == [("", "")]


def test_merged_deltas_have_seqs_that_there_are() -> None:
    events = [Delta(seq, "x" * 1_000, "y" * (seq % 3) * 500) for seq in range(1, 500)]
    merged = merge_deltas(events)
    assert 1 < len(merged) < 20
    assert all(len(one.text) + len(one.reasoning) <= MERGED_CHARS for one in merged)
    assert "".join(one.text for one in merged) == "".join(one.text for one in events)
    assert merged[-1].seq == 499
    long = [Delta(1, "a"), Delta(2, "x" * 2 * MERGED_CHARS), Delta(3, "b")]
    assert [one.seq for one in merge_deltas(long)] == [1, 2, 3]
