"""SIGTERM of the inference process: what runs ends whole, and what waits is the next process's."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.support import site as sites
from tests.support.kills import (
    FAST,
    judge_readers,
    judge_text,
    made,
    start_worker,
    stored,
    survive,
    worker_of,
)
from tests.support.prepared import prepared_apart
from tests.support.waiting import PATIENCE_S

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.slow]

DRAINED = {**FAST, "CHATSITE_EMULATED_STEP_S": "0.03", "CHATSITE_DRAIN_S": f"{PATIENCE_S:.0f}"}
"""Two seconds an answer, eight at a time."""


@pytest.fixture(scope="module")
def site() -> Iterator[sites.Site]:
    with prepared_apart(DRAINED) as running:
        yield running[0]


@pytest.mark.parametrize("standby", [True, False])
async def test_a_planned_restart_interrupts_nothing(site: sites.Site, standby: bool) -> None:
    """With a standby beside it, or with a process that is started when the old one has ended."""
    old = worker_of(site)
    if standby:
        start_worker(site)

    async def restart() -> None:
        os.kill(old.pid, signal.SIGTERM)

    async def restart_alone() -> None:
        await restart()
        start_worker(site)

    streams = await survive(site, f"Standby {standby}", restart if standby else restart_alone)
    assert [stream.failure for stream in streams] == [""] * len(streams)
    rows = stored(site)
    judge_readers(site, streams, rows)
    judge_text(streams, rows, made(site.transcript))
    assert old.wait(PATIENCE_S) == 0
    site.children.remove(old)
    site.manage("reconcile", "--dry-run")
