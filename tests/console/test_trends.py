"""The last half hour on Live: sampled in the inference process, kept in bounds, drawn at page load."""

from __future__ import annotations

import re
import time
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from django.utils import timezone
from redis.asyncio import Redis

from chatsite.accounts.models import Role
from chatsite.backends import status_store
from chatsite.console.trends import HEIGHT, SPAN_S, WIDTH, trends
from chatsite.generations.latency import read_latency
from chatsite.generations.models import Generation
from inference.status import (
    SAMPLE_S,
    SAMPLES_KEPT,
    InferenceStatus,
    MemoryStatusStore,
    RedisStatusStore,
    Sample,
)
from inference.worker.sampler import Fold
from tests.support.people import People, submit
from tests.support.staff import make_staff, signed_in

NOW = 1_000_000.0


def sample(ago_s: float, running: int = 0, ttft_p95_s: float | None = None, now: float = NOW) -> Sample:
    return Sample(
        at=now - ago_s, running=running, waiting=0, tokens_per_s=2.0 * running, ttft_p95_s=ttft_p95_s
    )


def test_boards_become_a_sample_with_the_most_of_each_and_the_mean_speed() -> None:
    fold = Fold()
    for second in range(int(SAMPLE_S) - 1):
        crowd = 9 if second == 3 else 1
        status = InferenceStatus(
            at=NOW + second, state="ready", waiting={"quick": crowd}, running={"quick": 1, "heavy": 1},
            tokens_per_s=float(second),
        )  # fmt: skip
        assert fold.add(status) is None
    last = NOW + SAMPLE_S - 1
    made = fold.add(InferenceStatus(at=last, state="ready", running={"quick": 5}, tokens_per_s=14.0))
    assert made == Sample(at=last, running=5, waiting=9, tokens_per_s=7.0)
    assert fold.add(InferenceStatus(at=last + 1, state="ready")) is None


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
async def store(request):
    if request.param == "memory":
        yield MemoryStatusStore()
        return
    made = RedisStatusStore(Redis.from_url(request.getfixturevalue("redis_url")))
    yield made
    await made.close()


async def test_half_an_hour_is_kept_the_oldest_first(store) -> None:
    assert await store.samples() == []
    for n in range(SAMPLES_KEPT + 3):
        await store.record(sample(-n, running=n, ttft_p95_s=0.5 if n % 2 else None))
    kept = await store.samples()
    assert [one.running for one in kept] == list(range(3, SAMPLES_KEPT + 3))
    assert kept[0] == sample(-3, running=3, ttft_p95_s=0.5)


def test_a_line_from_zero_at_the_bottom_to_the_most_at_the_top() -> None:
    drawn = trends([sample(30, 0), sample(15, 4), sample(0, 2)], NOW)["running"]
    assert drawn is not None
    assert (drawn.least, drawn.most) == (0, 4)
    assert drawn.path == f"M118.0 {HEIGHT}.0h0L119.0 0.0L{WIDTH}.0 12.0"


def test_where_nothing_was_measured_the_line_is_broken_and_what_is_older_is_left_out() -> None:
    ancient, ago = sample(SPAN_S + 60, 99), [600, 585, 100, 85]
    drawn = trends([ancient, *(sample(one, 1, None if one > 90 else 0.25) for one in ago)], NOW)
    assert drawn["running"].path.count("M") == 2
    assert drawn["running"].most == 1
    assert drawn["ttft_p95_s"].path.count("M") == 1
    assert drawn["ttft_p95_s"].path.count("L") == 0
    assert trends([sample(10)], NOW)["ttft_p95_s"] is None
    assert set(trends([], NOW).values()) == {None}


def test_an_idle_half_hour_is_a_line_at_the_bottom() -> None:
    drawn = trends([sample(15), sample(0)], NOW)["running"]
    assert drawn.path == f"M119.0 {HEIGHT}.0h0L{WIDTH}.0 {HEIGHT}.0"


def test_latencies_are_of_answers_that_ended_lately(people: People) -> None:
    now = timezone.now()
    assert read_latency(now) is None
    for n in range(21):
        done = submit(people.alice)
        ended = now - timedelta(minutes=6 if n == 20 else 1)
        usage = {"ttft_s": 99.0 if n == 20 else float(n)}
        Generation.objects.filter(id=done.generation).update(
            status="finished", finished_at=ended, usage=usage
        )
    latency = read_latency(now)
    assert (latency.p50, latency.p95) == (10.0, 19.0)


@pytest.fixture
def half_an_hour(db):
    """What the process has measured, as the page's own store keeps it."""

    async def record() -> None:
        for n in range(3):
            made = sample(45 - 15 * n, running=n, ttft_p95_s=0.5, now=time.time())
            await status_store().record(made)
        await status_store().close()  # with Redis its connection belongs to this loop

    async_to_sync(record)()
    yield
    status_store.cache_clear()


def test_the_lines_are_there_at_page_load_and_say_what_they_show(half_an_hour) -> None:
    client: Client = signed_in(make_staff("ada", Role.AUDITOR))
    page = client.get("/admin/live/").content.decode()
    assert page.count("<svg viewBox") == 4
    assert len(re.findall(r'aria-hidden="true">\s*<path class="base"', page)) == 4
    assert "30 min: 0 to 2" in page
    assert re.search(r"30 min: 0\.50\s*<", page)
    assert "style=" not in page.partition('id="now"')[2].partition("</dl>")[0]
