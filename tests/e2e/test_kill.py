"""SIGKILL of the inference process: no prompt is lost, no stream hangs, nothing is written twice.

The judge is the engine's own transcript, written before anything is delivered. A generation that is put
back in the queue makes the same text again, so what is stored must begin, or be, what the engine made.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest

from tests.support import site as sites
from tests.support.kills import (
    FAST,
    judge_readers,
    judge_text,
    kill_worker,
    made,
    start_worker,
    stored,
    survive,
)
from tests.support.prepared import prepared_apart

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture(scope="module")
def site() -> Iterator[sites.Site]:
    with prepared_apart(FAST) as running:
        yield running[0]


@pytest.mark.parametrize("seed", range(5))
async def test_the_inference_process_is_killed(site: sites.Site, seed: int) -> None:
    await one_round(site, seed)


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(5, 20))
async def test_the_inference_process_is_killed_again_and_again(site: sites.Site, seed: int) -> None:
    await one_round(site, seed)


async def one_round(site: sites.Site, seed: int) -> None:
    chance = random.Random(seed)

    async def kill() -> None:
        await asyncio.sleep(chance.uniform(0.05, 1.5))
        kill_worker(site)
        await asyncio.sleep(chance.uniform(0, 0.5))
        start_worker(site)

    streams = await survive(site, f"Round {seed}", kill)
    rows = stored(site)
    judge_readers(site, streams, rows)
    judge_text(streams, rows, made(site.transcript))
