"""The owner of the queue is frozen, or cut off from PostgreSQL, with a standby beside it.

Whatever happens, everything asked is answered once, by one of the two, and an owner that wakes alters
nothing.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from tests.support import site as sites
from tests.support.chat_client import Stream
from tests.support.kills import FAST, judge_readers, judge_text, made, stored, survive
from tests.support.prepared import prepared_apart
from tests.support.workers import Worker, cut_path, end_first_worker

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.slow]


@pytest.fixture(scope="module")
def site() -> Iterator[sites.Site]:
    with prepared_apart(FAST) as running:
        end_first_worker(running[0])
        yield running[0]


@pytest.fixture
async def proxied(site: sites.Site) -> AsyncIterator[tuple[sites.Site, Worker, Callable[[], None]]]:
    """The site, with an owner whose path to PostgreSQL the third of these silences."""
    async with cut_path(site) as (proxy, settings):
        owner = Worker(site, **settings)
        await owner.until_role("owner")
        yield site, owner, proxy.silence
        await owner.end()


@pytest.fixture
async def owner(site: sites.Site) -> AsyncIterator[Worker]:
    worker = Worker(site)
    await worker.until_role("owner")
    yield worker
    await worker.end()


@pytest.fixture
async def standby(site: sites.Site) -> AsyncIterator[Worker]:
    worker = Worker(site)
    await worker.until_role("standby")
    yield worker
    await worker.end()


async def survived(site: sites.Site, title: str, trouble: Callable[[], Awaitable[None]]) -> list[Stream]:
    """Twenty questions with trouble among them; judged, and what their readers saw."""

    async def kill() -> None:
        await asyncio.sleep(0.5)
        await trouble()

    streams = await survive(site, title, kill)
    rows = stored(site)
    judge_readers(site, streams, rows)
    judge_text(streams, rows, made(site.transcript))
    return streams


async def test_a_frozen_owner_is_replaced_and_alters_nothing_when_it_wakes(
    site: sites.Site, owner: Worker, standby: Worker
) -> None:
    async def freeze() -> None:
        owner.signal(signal.SIGSTOP)

    streams = await survived(site, "Frozen", freeze)
    assert any(stream.failure == "" for stream in streams), "the standby answers what waited"
    before = stored(site)
    await standby.until_role("owner")
    owner.signal(signal.SIGCONT)
    assert await owner.ended() != 0
    assert stored(site) == before
    site.manage("reconcile", "--dry-run")


async def test_an_owner_whose_path_to_the_database_is_silent_is_replaced_and_ends(
    proxied: tuple[sites.Site, Worker, Callable[[], None]], standby: Worker
) -> None:
    site, owner, silence = proxied

    async def cut() -> None:
        silence()

    streams = await survived(site, "Cut off", cut)
    assert any(stream.failure == "" for stream in streams)
    await standby.until_role("owner")
    assert await owner.ended() != 0
    site.manage("reconcile", "--dry-run")


async def test_a_frozen_process_says_that_it_is_not_alive(site: sites.Site, standby: Worker) -> None:
    """The standby, which no status tells of."""

    def alive() -> int:
        settings = {**site.environment, "CHATSITE_METRICS_PORT": str(standby.port)}
        command = [sys.executable, "-m", "inference.alive"]
        return subprocess.run(command, env=settings, capture_output=True, check=False).returncode

    assert await asyncio.to_thread(alive) == 0
    standby.signal(signal.SIGSTOP)
    assert await asyncio.to_thread(alive) == 1
    standby.signal(signal.SIGCONT)
