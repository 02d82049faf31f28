"""A year of a busy site: are list, open, search, usage and console as quick as on the first day?

One person has 10,000 conversations and one of 1,000 messages; the site has 1,000,000 messages and as many
ledger entries, on SQLite and on PostgreSQL. Search is measured with the person's first 10,000 messages and
nothing else on the site, and again with all. Requests go one after the other over HTTP through a running site
with an idle engine. The short form has a tenth of everything.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

import httpx

from bench.results import ROOT, Result
from tests.support.errors import BenchmarkError
from tests.support.site import LOG_TAIL, Site, apart, embedded
from tests.support.stats import percentile, spread

MESSAGES, CONVERSATIONS, LONG = 1_000_000, 10_000, 1_000
FIRST_MESSAGES = 10_000
"""What search is compared with: the same person's first weeks."""

REPEATS = 25
"""Requests of each address, after one that is not counted: it fills the caches of database and site."""

QUERIES = (
    "客户反馈",
    "缓存",
    "请",
    "release",
    "customer report",
    "index",
    "rep",
    "item 77",
    "编号 15",
    "nowhere",
)
"""As people look: Chinese of four, two and one characters, English, two words, a beginning, a miss."""

ENGINE = {"CHATSITE_ENGINE": "emulated"}


@contextmanager
def on_sqlite() -> Iterator[Site]:
    with embedded(ENGINE) as site:
        site.wait("/readyz")
        yield site


@contextmanager
def on_postgresql() -> Iterator[Site]:
    with apart(ENGINE) as (site,):
        yield site


SIDES: dict[str, Callable[[], Any]] = {"sqlite": on_sqlite, "postgresql": on_postgresql}


def fill(site: Site, *numbers: int) -> dict[str, Any]:
    """Run bench.history_rows on the site's database."""
    command = [sys.executable, "-m", "bench.history_rows", *map(str, numbers)]
    done = subprocess.run(command, cwd=ROOT, env=site.environment, capture_output=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"rows could not be made: {done.stderr.decode()[-LOG_TAIL:]}")
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def timed(client: httpx.Client, paths: list[str]) -> list[float]:
    """Milliseconds of REPEATS requests of each address, in turn. Raises BenchmarkError where one fails."""
    samples = []
    for repeat in range(REPEATS + 1):
        for path in paths:
            began = perf_counter()
            answer = client.get(path)
            took_ms = (perf_counter() - began) * 1000
            if answer.status_code != 200:
                raise BenchmarkError(f"{path} answered {answer.status_code}")
            if repeat:
                samples.append(took_ms)
    return samples


def list_pages(client: httpx.Client) -> list[str]:
    """The list's first page, and those behind it as a person scrolls: five of them."""
    paths = ["/api/conversations"]
    while len(paths) < 5:
        cursor = client.get(paths[-1]).json()["next"]
        paths.append(str(httpx.URL("/api/conversations", params={"before": cursor})))
    return paths


def searches() -> list[str]:
    return [str(httpx.URL("/api/search", params={"q": query})) for query in QUERIES]


def pages() -> dict[str, list[str]]:
    """Usage and console, the whole year included."""
    year = (datetime.now(UTC) - timedelta(days=364)).date()
    return {
        "usage": ["/usage"],
        "console": ["/admin/", "/admin/live/"],
        "console_usage": ["/admin/usage/", f"/admin/usage/?since={year}"],
        "console_lists": ["/admin/accounts/user/", "/admin/auth/group/", "/admin/audit/auditentry/"],
    }


def measure(site: Site, scale: float) -> dict[str, list[float]]:
    """All samples of one side, in milliseconds, by kind."""
    (cookie,) = site.people(1)
    with httpx.Client(base_url=site.url, headers={"Cookie": cookie}, trust_env=False, timeout=60) as client:
        fill(site, 1, int(FIRST_MESSAGES * scale) // 10, 0, 0)
        samples = {"search_first": timed(client, searches())}
        conversations = int((CONVERSATIONS - FIRST_MESSAGES / 10) * scale)
        others = int(MESSAGES * scale) - int(CONVERSATIONS * scale) * 10 - LONG
        long = fill(site, 2, conversations, LONG, others)["newest"]
        samples |= {
            "list": timed(client, list_pages(client)),
            "open": timed(client, [f"/api/conversations/{long}"]),
            "search": timed(client, searches()),
        }
        return samples | {kind: timed(client, paths) for kind, paths in pages().items()}


def run(full: bool) -> Result:
    """Both databases, one after the other; the summary holds the slower of the two."""
    scale = 1.0 if full else 0.1
    samples: dict[str, dict[str, list[float]]] = {}
    notes = ["The engine is idle: nothing is asked while reading is measured."]
    for name, side in SIDES.items():
        try:
            with side() as site:
                samples[name] = measure(site, scale)
        except BenchmarkError as error:
            if name == "sqlite":
                raise
            notes.append(f"Not measured on {name}: {error}")
    worst = {
        kind: max(percentile(side[kind], 95) for side in samples.values())
        for kind in next(iter(samples.values()))
    }
    growth = max(
        percentile(side["search"], 95) / percentile(side["search_first"], 95) for side in samples.values()
    )
    rows = [
        [kind, name, *(f"{spread(side[kind])[figure]:.1f}" for figure in ("p50", "p95", "max"))]
        for kind in worst for name, side in samples.items()
    ]  # fmt: skip
    return Result(
        name="history",
        engine="emulated",
        full=full,
        settings={
            "messages": int(MESSAGES * scale), "ledger_entries": int(MESSAGES * scale),
            "conversations": int(CONVERSATIONS * scale), "messages_of_the_long_one": LONG,
            "first_messages": int(FIRST_MESSAGES * scale), "repeats": REPEATS,
        },
        summary={f"{kind}_p95_ms": value for kind, value in worst.items()} | {"search_growth": growth},
        columns=("what", "database", "p50 ms", "p95 ms", "max ms"),
        rows=rows,
        samples=samples,
        notes=notes,
    )  # fmt: skip
