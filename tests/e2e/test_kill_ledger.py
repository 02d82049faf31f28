"""SIGKILL of the inference process: the ledger equals the answers, and a drained site stays drained."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.support import site as sites
from tests.support.chat_client import Person
from tests.support.kills import FAST, PEOPLE, QUESTIONS, kill_worker
from tests.support.prepared import prepared_apart
from tests.support.waiting import PATIENCE_S

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture(scope="module")
def site() -> Iterator[sites.Site]:
    with prepared_apart(FAST) as running:
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
    async with asyncio.timeout(PATIENCE_S):
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
    async with asyncio.timeout(PATIENCE_S), httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
        while (await client.get(site.url + "/readyz")).json()["engine"] != "draining":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await asyncio.wait({asked}, timeout=0.9)
        assert not asked.done()
        site.manage("shell", "-c", ADMIT.format("open"))
        stream = await asked
    assert stream.text
    person.close()
