"""One contract for every stream log: what is appended is read exactly, or a gap is said out loud."""

import asyncio
import contextlib
import random
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.request import Usage
from inference.stream_log.base import (
    Delta,
    FencedError,
    Finished,
    GapError,
    Queued,
    Snapshot,
    Started,
    merge_deltas,
)
from inference.stream_log.memory import MemoryStreamLog
from inference.stream_log.redis import RedisStreamLog
from tests.support.services import REDIS_URL
from tests.support.waiting import PATIENCE_S, until

MAX_ENTRIES = 8


class Clock:
    """Monotonic seconds that move when told."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class MemoryLogs:
    """Writer and reader are one object, as in the embedded mode."""

    def __init__(self, max_entries=MAX_ENTRIES):
        self.clock = Clock()
        self.writer = self.reader = MemoryStreamLog(max_entries=max_entries, clock=self.clock)

    async def lose(self, generation):
        stream = self.writer._streams.get(generation)
        if stream is not None:
            stream.events.clear()

    async def pass_expiry(self, generation):
        self.clock.now += 601

    async def arrived(self, generation, seq):
        """Nothing is on its way: follower and writer share the list."""

    async def close(self):
        await self.writer.close()


class RedisLogs:
    """Writer and reader in two connections, as in two processes."""

    def __init__(self, max_entries=MAX_ENTRIES):
        self.prefix = f"test-{uuid.uuid4().hex}"
        self.writer = RedisStreamLog(REDIS_URL, prefix=self.prefix, max_entries=max_entries)
        self.reader = RedisStreamLog(REDIS_URL, prefix=self.prefix, max_entries=max_entries)

    async def lose(self, generation):
        await self.writer.client.delete(self.writer.stream_key(generation))

    async def pass_expiry(self, generation):
        ttl = await self.writer.client.ttl(self.writer.stream_key(generation))
        assert 590 <= ttl <= 600
        await self.lose(generation)

    async def arrived(self, generation, seq):
        """The one follower was told this event, or was told so much that it looks for itself."""
        (follower,) = self.reader.followers(generation)
        await until(lambda: follower.stale or (follower.pending and follower.pending[-1].seq == seq))

    async def close(self):
        keys = [key async for key in self.writer.client.scan_iter(f"*{self.prefix}*")]
        if keys:
            await self.writer.client.delete(*keys)
        await self.reader.close()
        await self.writer.close()


KINDS = [
    pytest.param(MemoryLogs, id="memory"),
    pytest.param(RedisLogs, id="redis", marks=pytest.mark.redis),
]


@pytest.fixture(params=KINDS)
async def logs(request):
    logs = request.param()
    yield logs
    await logs.close()


def deltas(*texts, start=1):
    return [Delta(seq=start + n, text=text) for n, text in enumerate(texts)]


async def write(logs, generation, *events, epoch=1):
    return list(await logs.writer.append([(generation, event) for event in events], epoch=epoch))


async def collected(follower):
    batches = [batch async for batch in follower]
    return [event for batch in batches for event in batch]


def applied(events, text="", seq=0):
    """What a reader shows: the reducer of the page, in four lines."""
    for event in events:
        if isinstance(event, Delta):
            assert event.seq > seq
            text, seq = text + event.text, event.seq
        elif isinstance(event, Snapshot):
            text, seq = event.text, event.seq
    return text


async def settle():
    """Time in which a publication usually reaches the reader's process; what follows holds either way."""
    await asyncio.sleep(0.05)


async def test_events_are_read_after_the_cursor(logs):
    assert await write(logs, "a", *deltas("x", "y", "z")) == []
    assert await logs.reader.read("a", 0) == deltas("x", "y", "z")
    assert await logs.reader.read("a", 2) == deltas("z", start=3)
    assert await logs.reader.read("a", 3) == []
    assert await logs.reader.read("unknown", 0) == []


async def test_one_append_serves_many_generations_in_order(logs):
    events = [(f"g{n}", Delta(seq=1, text=str(n))) for n in range(20)]
    events += [(f"g{n}", Delta(seq=2, text="!")) for n in range(20)]
    assert list(await logs.writer.append(events, epoch=1)) == []
    for n in range(20):
        assert applied(await logs.reader.read(f"g{n}", 0)) == f"{n}!"


async def test_all_fields_survive(logs):
    usage = Usage(prompt_tokens=3, completion_tokens=2, queue_s=0.5)
    events = [
        Delta(seq=1, text="多字节 👩‍🔬", reasoning="hm"),
        Finished(seq=2, finish_reason="stop", usage=usage, message="done"),
    ]
    await write(logs, "a", *events)
    assert await logs.reader.read("a", 0) == events


async def test_an_event_that_does_not_follow_is_reported_lost_and_a_snapshot_heals(logs):
    await write(logs, "a", *deltas("x", "y"))
    await logs.lose("a")
    assert await write(logs, "a", *deltas("z", start=3)) == ["a"]
    with pytest.raises(GapError):
        await logs.reader.read("a", 2)
    assert await write(logs, "a", Snapshot(seq=3, text="xyz"), *deltas("!", start=4)) == []
    assert await logs.reader.read("a", 0) == [Snapshot(seq=3, text="xyz"), *deltas("!", start=4)]
    assert await logs.reader.read("a", 3) == deltas("!", start=4)


async def test_what_is_held_already_is_ignored_so_that_a_retry_is_safe(logs):
    await write(logs, "a", *deltas("x", "y"))
    assert await write(logs, "a", *deltas("x", "y", "z")) == []
    assert applied(await logs.reader.read("a", 0)) == "xyz"


async def test_an_older_epoch_is_fenced_and_writes_nothing(logs):
    assert await logs.reader.epoch() == 0
    await write(logs, "a", *deltas("x"), epoch=5)
    assert await logs.reader.epoch() == 5
    with pytest.raises(FencedError):
        await write(logs, "a", *deltas("y", start=2), epoch=4)
    assert await logs.reader.read("a", 0) == deltas("x")
    assert await write(logs, "a", *deltas("y", start=2), epoch=6) == []


async def test_a_log_is_bounded_and_says_so(logs):
    for n in range(1, 60):
        await write(logs, "a", Delta(seq=n, text="."))
    assert len(await logs.reader.read("a", 59 - MAX_ENTRIES)) == MAX_ENTRIES
    with pytest.raises(GapError):
        await logs.reader.read("a", 0)
    with pytest.raises(GapError):
        await collected(logs.reader.follow("a", 0))


async def test_it_expires_after_it_finished(logs):
    await write(logs, "a", *deltas("x"), Finished(seq=2, finish_reason="stop", usage=Usage()))
    assert len(await logs.reader.read("a", 0)) == 2
    await logs.pass_expiry("a")
    assert await logs.reader.read("a", 0) == []
    with pytest.raises(GapError):
        await logs.reader.read("a", 1)


async def test_a_follower_gets_what_is_held_then_what_comes_and_ends(logs):
    await write(logs, "a", *deltas("x", "y"))
    task = asyncio.create_task(collected(logs.reader.follow("a", 1)))
    await settle()
    await write(logs, "a", *deltas("z", start=3))
    await settle()
    end = Finished(seq=4, finish_reason="stop", usage=Usage())
    await write(logs, "a", end)
    assert await asyncio.wait_for(task, PATIENCE_S) == [*deltas("y", "z", start=2), end]


async def test_a_follower_may_come_before_the_first_event(logs):
    tasks = [asyncio.create_task(collected(logs.reader.follow("a", 0))) for _ in range(3)]
    await settle()
    await write(logs, "a", *deltas("x"), Finished(seq=2, finish_reason="stop", usage=Usage()))
    for events in await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_S):
        assert applied(events) == "x"
        assert isinstance(events[-1], Finished)


async def test_a_follower_of_a_finished_stream_ends_at_once(logs):
    await write(logs, "a", *deltas("x"), Finished(seq=2, finish_reason="stop", usage=Usage()))
    assert await asyncio.wait_for(collected(logs.reader.follow("a", 2)), PATIENCE_S) == []


async def test_a_slow_follower_gets_one_large_batch(logs):
    follower = logs.reader.follow("a", 0)
    await write(logs, "a", *deltas("0"))
    assert await anext(follower) == deltas("0")
    for n in range(2, 2 + MAX_ENTRIES):
        await write(logs, "a", Delta(seq=n, text=str(n)))
    await logs.arrived("a", 1 + MAX_ENTRIES)
    assert len(await anext(follower)) == MAX_ENTRIES
    await follower.aclose()


async def test_a_follower_too_slow_for_the_bound_gets_the_gap_not_a_hole(logs):
    follower = logs.reader.follow("a", 0)
    await write(logs, "a", *deltas("0"))
    await anext(follower)
    for n in range(2, 400):
        await write(logs, "a", Delta(seq=n, text="."))
    await logs.arrived("a", 399)
    with pytest.raises(GapError):
        await anext(follower)


async def test_a_follower_survives_a_lost_log_by_the_snapshot(logs):
    task = asyncio.create_task(collected(logs.reader.follow("a", 0)))
    await settle()
    await write(logs, "a", *deltas("x", "y"))
    await settle()
    await logs.lose("a")
    lost = await write(logs, "a", *deltas("z", start=3))
    if lost:
        await write(logs, "a", Snapshot(seq=3, text="xyz"))
    await write(logs, "a", *deltas("!", start=4), Finished(seq=5, finish_reason="stop", usage=Usage()))
    with contextlib.suppress(GapError):
        assert applied(await asyncio.wait_for(task, PATIENCE_S)) == "xyz!"


async def test_notices_reach_followers_and_only_the_latest_is_kept(logs):
    await logs.writer.publish_status({"a": Queued(position=3, eta_s=4.0), "b": Started()})
    await logs.writer.publish_status({"a": Queued(position=2, eta_s=None)})
    follower = logs.reader.follow("a", 0)
    assert await asyncio.wait_for(anext(follower), PATIENCE_S) == [Queued(position=2, eta_s=None)]
    pending = asyncio.ensure_future(anext(follower))
    await settle()
    await logs.writer.publish_status({"a": Started()})
    assert await asyncio.wait_for(pending, PATIENCE_S) == [Started()]
    await follower.aclose()


async def test_a_cancelled_follower_leaves_nothing_behind(logs):
    for _ in range(3):
        task = asyncio.create_task(collected(logs.reader.follow("a", 0)))
        await until(lambda: logs.reader.streams == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert logs.reader.streams == 0


async def test_closing_wakes_every_reader(logs):
    task = asyncio.create_task(collected(logs.reader.follow("a", 0)))
    await until(lambda: logs.reader.streams == 1)
    await logs.reader.close()
    assert await asyncio.wait_for(task, PATIENCE_S) == []


operation = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 4)),
    st.tuples(st.just("lose"), st.just(0)),
    st.tuples(st.just("retry"), st.integers(1, 3)),
    st.tuples(st.just("read"), st.just(0)),
    st.tuples(st.just("follow"), st.integers(1, 3)),
    st.tuples(st.just("pause"), st.just(0)),
)


@pytest.mark.parametrize("kind", KINDS)
def test_any_interleaving_gives_the_exact_text_or_an_explicit_gap(kind):
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(operation, max_size=25), st.integers(0, 2**32))
    def check(operations, seed):
        asyncio.run(interleave(kind(), operations, random.Random(seed)))

    check()


async def interleave(logs, operations, rng):
    """Carry the operations out beside followers, then end the stream: each of them shows the exact text."""
    written = []
    followers = []

    async def append(events):
        if await write(logs, "a", *events):
            await write(logs, "a", Snapshot(seq=len(written), text="".join(written)))

    async def follow(pace):
        """Follow as the page does: after a gap, from the recorded snapshot."""
        text, seq = "", 0
        while True:
            try:
                async for batch in logs.reader.follow("a", seq):
                    text = applied(batch, text, seq)
                    seq = batch[-1].seq
                    for _ in range(pace):
                        await asyncio.sleep(0)
                return text
            except GapError:
                text, seq = "".join(written), len(written)
                await asyncio.sleep(0.001)

    async def check_read():
        after = rng.randint(0, len(written))
        with contextlib.suppress(GapError):
            text = applied(await logs.reader.read("a", after), "".join(written[:after]), after)
            assert text in {"".join(written), "".join(written[:after])}

    try:
        for name, size in operations:
            if name == "append":
                fresh = [rng.choice(["é", "字", "x", "👍"]) for _ in range(size)]
                first = len(written) + 1
                written += fresh
                await append(deltas(*fresh, start=first))
            elif name == "retry" and written:
                first = max(1, len(written) - size)
                await append(deltas(*written[first - 1 :], start=first))
            elif name == "lose":
                await logs.lose("a")
            elif name == "read":
                await check_read()
            elif name == "follow":
                followers.append(asyncio.create_task(follow(size)))
            else:
                await asyncio.sleep(0.002)
        end = Finished(seq=len(written) + 1, finish_reason="stop", usage=Usage())
        if await write(logs, "a", end):
            assert await write(logs, "a", Snapshot(seq=len(written), text="".join(written)), end) == []
        for follower in followers:
            assert await asyncio.wait_for(follower, PATIENCE_S) == "".join(written)
    finally:
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        await logs.close()


def test_merged_deltas_apply_to_the_same_text():
    events = [*deltas("a", "b"), Started(), *deltas("c", "d", start=3), Snapshot(seq=4, text="abcd")]
    merged = merge_deltas(events)
    assert merged == [
        Delta(seq=2, text="ab"),
        Started(),
        Delta(seq=4, text="cd"),
        Snapshot(seq=4, text="abcd"),
    ]
    assert merge_deltas([]) == []


@given(st.lists(st.one_of(st.text(max_size=3), st.none()), max_size=30))
def test_merging_changes_no_text(texts):
    events = [
        Queued(position=1, eta_s=None) if text is None else Delta(seq=n, text=text, reasoning=text)
        for n, text in enumerate(texts, start=1)
    ]
    assert applied(merge_deltas(events)) == applied(events)
