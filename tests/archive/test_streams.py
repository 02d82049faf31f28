"""Answers stream on while somebody exports everything as PDF: the heaviest work that a person can ask for."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from bench import site as sites
from bench.client import Person, Stream
from tests.archive.test_memory import FILL, cookies_of

pytestmark = pytest.mark.proof

STREAMS, TOKENS = 20, 500


def p99_ms(streams: list[Stream]) -> float:
    """Of the gaps between two deltas of one answer."""
    gaps = sorted(b[0] - a[0] for one in streams for a, b in pairwise(one.arrivals))
    return gaps[int(len(gaps) * 0.99)] * 1000


async def streamed(people: list[Person]) -> list[Stream]:
    return list(await asyncio.gather(*(one.ask("Tell me more.", max_tokens=TOKENS) for one in people)))


@pytest.mark.site
async def test_streams_do_not_feel_an_export(tmp_path: Path) -> None:
    settings = {
        "CHATSITE_ENGINE": "emulated", "CHATSITE_EMULATED_STEP_S": "0.02",
        "CHATSITE_EMULATED_ANSWER_TOKENS": "0",
    }  # fmt: skip
    with sites.embedded(settings, tmp_path) as site:
        site.wait("/readyz")
        site.manage("shell", "-c", FILL.format(count=500))
        cookies = cookies_of(site)
        people = [Person(n, sites.HOST, site.port, cookie) for n, cookie in enumerate(site.people(STREAMS))]
        for one in people:
            await one.connect()
        await streamed(people)
        alone = p99_ms(await streamed(people))
        async with httpx.AsyncClient(base_url=site.url, trust_env=False, headers=cookies) as client:
            job = (await client.post("/api/archive/exports", json={"format": "pdf"})).json()
            while job["status"] == "queued" or not job["done"]:
                await asyncio.sleep(0.2)
                job = (await client.get(f"/api/archive/{job['id']}")).json()
            beside = p99_ms(await streamed(people))
            job = (await client.get(f"/api/archive/{job['id']}")).json()
            assert job["status"] == "running", "the export must outlast the streams"
            await client.delete(f"/api/archive/{job['id']}")
        for one in people:
            one.close()
    print(json.dumps({"alone_p99_ms": round(alone, 1), "beside_p99_ms": round(beside, 1)}))
    assert beside < 2 * alone
