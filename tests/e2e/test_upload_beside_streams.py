"""Somebody sends a document of 50 MB while twenty people read answers: they hardly notice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import httpx
import pytest

from tests.support import load
from tests.support import site as sites
from tests.support.document_files import large_pdf
from tests.support.stats import percentile
from tests.support.waiting import PATIENCE_S

pytestmark = [pytest.mark.site, pytest.mark.proof]

PEOPLE, TOKENS = 20, 300
STEP_S = 0.05
BALLAST_BYTES = 50_000_000
SENTENCES = 200
ALL_STREAM_S = 3.0
ROUNDS = 3
"""Pairs of quiet and busy; the middle ratio counts, since neighbours disturb single ones."""

MOST = 2.0


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[sites.Site]:
    settings = {
        "CHATSITE_ENGINE": "emulated",
        "CHATSITE_EMULATED_STEP_S": str(STEP_S),
        "CHATSITE_EMULATED_ANSWER_TOKENS": "0",
        "RATE_LIMIT_PER_MINUTE": "1000",
        "CHATSITE_MAX_UPLOAD_MB": "51",
    }
    with sites.embedded(settings, tmp_path) as site:
        site.wait("/readyz")
        yield site


def upload(client: httpx.Client) -> tuple[float, float]:
    """A PDF of 50 MB, as the page sends it, read at its end; from when to when (perf_counter)."""
    sleep(ALL_STREAM_S)
    content = large_pdf(b"\x00" * BALLAST_BYTES, "What the report says. " * SENTENCES)
    started = perf_counter()
    file = client.post("/api/attachments", json={"name": "report.pdf", "size": len(content)}).json()
    for offset in range(0, len(content), file["piece_bytes"]):
        piece = content[offset : offset + file["piece_bytes"]]
        put = client.put(f"/api/attachments/{file['id']}?offset={offset}", content=piece)
        assert put.status_code == 200, put.text
    ended = client.post(f"/api/attachments/{file['id']}/complete", json={}).json()
    assert (ended["status"], ended["reason"]) == ("ready", None)
    assert ended["tokens"] > SENTENCES
    return started, perf_counter()


Gap = tuple[float, float]
"""When a piece of text came (perf_counter: one clock for all processes), and seconds since the one before."""


def gaps_of(site: sites.Site, cookies: list[str]) -> list[Gap]:
    """Between one's pieces of text, over everybody."""
    asks = [load.Ask(n, 0.02 * n, f"Question {n}", TOKENS) for n in range(PEOPLE)]
    outcome = load.run(
        load.Plan(host=sites.HOST, ports=[site.port], cookies=cookies, asks=asks, timeout_s=PATIENCE_S)
    )
    assert [one.failure for one in outcome.streams if one.failure] == []
    assert (outcome.lost, outcome.doubled, outcome.altered) == (0, 0, 0)
    return [
        (after[0], after[0] - before[0])
        for one in outcome.streams
        for before, after in zip(one.arrivals, one.arrivals[1:], strict=False)
    ]


def p99_ms(gaps: list[Gap], since: float = 0.0, until: float = inf) -> float:
    return 1000 * percentile([gap for at, gap in gaps if since <= at <= until], 99)


def test_fifty_megabytes_come_in_while_twenty_read(own_site: sites.Site) -> None:
    site = own_site
    cookies = site.people(PEOPLE)
    headers = site.page_headers()
    gaps_of(site, cookies)  # warm
    rounds = []
    with (
        httpx.Client(base_url=site.url, trust_env=False, timeout=PATIENCE_S, headers=headers) as client,
        ThreadPoolExecutor(1) as beside,
    ):
        for _ in range(ROUNDS):
            quiet = gaps_of(site, cookies)
            uploading = beside.submit(upload, client)
            busy = gaps_of(site, cookies)
            since, until = uploading.result(timeout=PATIENCE_S)
            beside_it = sum(since <= at <= until for at, _gap in busy)
            assert beside_it > 20 * PEOPLE, "the upload went on while everybody was reading"
            rounds.append(
                {
                    "quiet_p99_ms": p99_ms(quiet),
                    "busy_p99_ms": p99_ms(busy, since, until),
                    "upload_s": until - since,
                }
            )
    print(json.dumps([{name: round(value, 1) for name, value in one.items()} for one in rounds]))
    assert median(one["busy_p99_ms"] / one["quiet_p99_ms"] for one in rounds) < MOST
