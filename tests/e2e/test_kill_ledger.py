"""SIGKILL of the inference process: the ledger equals the answers, and a drained site stays drained."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterator

import httpx
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


ADMIT = """
from django.db import transaction
from chatsite.generations.admission import AdmissionState, do_set_admission
with transaction.atomic():
    do_set_admission(AdmissionState("{}"))
"""


async def test_a_drained_site_starts_nothing_after_a_restart_until_it_is_resumed(site: sites.Site) -> None:
    site.manage("shell", "-c", ADMIT.format("draining"))
    kill_worker(site)
    site.spawn(sys.executable, "manage.py", "inference_worker")
    person = Person(0, "127.0.0.1", site.port, site.people(1)[0])
    await person.connect()
    asked = asyncio.ensure_future(person.ask("In line while the site is maintained"))
    async with asyncio.timeout(RECOVERY_S), httpx.AsyncClient(trust_env=False) as client:
        while (await client.get(site.url + "/readyz")).json()["engine"] != "draining":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await asyncio.wait({asked}, timeout=2)
        assert not asked.done()
        site.manage("shell", "-c", ADMIT.format("open"))
        stream = await asked
    assert stream.text
    person.close()
