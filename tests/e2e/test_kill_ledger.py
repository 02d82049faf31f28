"""SIGKILL of the inference process with reservations open: afterwards the ledger equals the answers."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterator

import pytest

from bench import site as sites
from bench.client import Person
from tests.e2e.test_kill import FAST, PEOPLE, QUESTIONS, RECOVERY_S, kill_worker

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture(scope="module")
def site() -> Iterator[sites.Site]:
    with sites.apart(FAST) as running:
        yield running[0]


@pytest.mark.parametrize("seed", range(2))
async def test_after_recovery_the_ledger_equals_the_answers(site: sites.Site, seed: int) -> None:
    chance = random.Random(seed)
    people = [Person(n, "127.0.0.1", site.port, cookie) for n, cookie in enumerate(site.people(PEOPLE))]
    await asyncio.gather(*(person.connect() for person in people))
    asked = [person.ask(f"Round {seed}, question {n}") for n in range(QUESTIONS) for person in people]
    await asyncio.sleep(chance.uniform(0.3, 1.0))
    kill_worker(site)
    site.spawn(sys.executable, "manage.py", "inference_worker")
    async with asyncio.timeout(RECOVERY_S):
        await asyncio.gather(*asked)
    for person in people:
        person.close()
    site.manage("reconcile", "--dry-run")  # any difference, an open reservation too, is exit code 1
