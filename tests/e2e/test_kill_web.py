"""Web process, inference process, database or Redis go: no question is lost or asked twice, none hangs."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pytest

from tests.e2e.reading import rows
from tests.support import services
from tests.support import site as sites
from tests.support.kills import ENDED, FAST, PEOPLE, QUESTIONS, made, stored, worker_of
from tests.support.prepared import prepared_apart, prepared_site
from tests.support.redis_server import Server
from tests.support.tab import Tab
from tests.support.waiting import PATIENCE_S


async def survive(site: sites.Site, seed: int, trouble: Callable[[sites.Site], Awaitable[None]]) -> list[Tab]:
    """Twenty questions, trouble among them, and how each of them ended.

    Every tab is there to feel it, since it asks its last question right before.
    """
    chance = random.Random(seed)
    tabs = [Tab(site, cookie, open=True) for cookie in site.people(PEOPLE)]
    for n in range(QUESTIONS - 1):
        for tab in tabs:
            tab.ask(f"Round {seed}, question {n}")
    living = [asyncio.create_task(tab.live()) for tab in tabs]
    while not all(tab.connections for tab in tabs):  # noqa: ASYNC110 - a busy machine opens them late
        await asyncio.sleep(0.01)
    await asyncio.sleep(chance.uniform(0.1, 1.5))
    for tab in tabs:
        await tab.ask_last(f"Round {seed}, last question")
    await trouble(site)
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*living)
    return tabs


async def kill_web(site: sites.Site) -> None:
    """SIGKILL of the process that serves the page, and a new one."""
    victim = next(child for child in site.children if "inference_worker" not in child.args)
    command = tuple(map(str, victim.args))  # type: ignore[arg-type]
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    site.children.remove(victim)
    site.spawn(*command)


async def lose_database(site: sites.Site) -> None:
    """PostgreSQL drops every connection and takes none for a while."""
    name = urlsplit(site.environment["DATABASE_URL"]).path.lstrip("/")
    with psycopg.connect(services.POSTGRES_URL, autocommit=True) as server:
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        await asyncio.sleep(2.5)
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def restart_redis(server: Server) -> Callable[[sites.Site], Awaitable[None]]:
    """SIGKILL of Redis, and a new one after a second, which knows nothing of the streams."""

    async def trouble(_site: sites.Site) -> None:
        server.kill()
        await asyncio.sleep(1.5)
        server.start()

    return trouble


def judge(tabs: list[Tab], held: dict[str, dict[str, str]], transcript: dict[str, str]) -> None:
    """Every question has one answer, which is stored as its reader holds it and as the engine made it."""
    generations = [generation for tab in tabs for generation in tab.accepted.values()]
    assert len(generations) == len(set(generations)) == PEOPLE * QUESTIONS
    for tab in tabs:
        for generation, answer in tab.answers.items():
            row = held[generation]
            assert row["status"] in ENDED, row
            assert answer.text == row["content"], "what the reader holds is what is stored"
            engine = transcript.get(generation, "")
            assert engine.endswith(answer.text) if row["status"] == "finished" else answer.text in engine
    assert not [row for row in held.values() if row["status"] in ("queued", "running")]


@pytest.fixture(scope="module")
def apart() -> Iterator[sites.Site]:
    with prepared_apart(FAST) as running:
        yield running[0]


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.redis
@pytest.mark.parametrize("seed", range(2))
async def test_the_web_process_is_killed(apart: sites.Site, seed: int) -> None:
    """The inference process does not even notice: every answer is whole."""
    before = set(stored(apart))
    tabs = await survive(apart, seed, kill_web)
    assert all(tab.connections >= 2 for tab in tabs), "the kill was felt"
    held = {id: row for id, row in stored(apart).items() if id not in before}
    judge(tabs, held, made(apart.transcript))
    assert {row["status"] for row in held.values()} == {"finished"}
    assert len(held) == PEOPLE * QUESTIONS, "nothing was asked twice"
    apart.manage("reconcile", "--dry-run")


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.redis
async def test_the_database_goes_away(apart: sites.Site) -> None:
    """The inference process seeks its lock again and keeps its engine: every answer is whole."""
    before = set(stored(apart))
    worker = worker_of(apart)
    tabs = await survive(apart, 7, lose_database)
    assert worker.poll() is None
    held = {id: row for id, row in stored(apart).items() if id not in before}
    judge(tabs, held, made(apart.transcript))
    assert {row["status"] for row in held.values()} == {"finished"}
    assert len(held) == PEOPLE * QUESTIONS, "nothing was asked twice"
    apart.manage("reconcile", "--dry-run")


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.redis
@pytest.mark.redis_server
async def test_redis_is_killed(tmp_path: Path) -> None:
    """Neither process ends: no engine is loaded anew, and every answer is whole."""
    server = Server(tmp_path)
    server.start()
    try:
        with prepared_apart({**FAST, "REDIS_URL": server.url}) as (site, *_):
            tabs = await survive(site, 11, restart_redis(server))
            assert [child.poll() for child in site.children] == [None, None]
            held = stored(site)
            judge(tabs, held, made(site.transcript))
            assert {row["status"] for row in held.values()} == {"finished"}
            assert len(held) == PEOPLE * QUESTIONS, "nothing was asked twice"
            site.manage("reconcile", "--dry-run")
    finally:
        server.kill()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.proof) for n in range(1, 6))])
async def test_the_whole_site_is_killed(tmp_path: Path, seed: int) -> None:
    """One process, SQLite: what ran is kept as interrupted or begins again, and what waited is answered."""
    with prepared_site(FAST, tmp_path / "data") as site:
        tabs = await survive(site, seed, kill_web)
        assert all(tab.connections >= 2 for tab in tabs), "the kill was felt"
        query = (
            "SELECT g.id, g.status, m.content FROM generations_generation g"
            " JOIN conversations_message m ON m.id = g.answer_id"
        )
        held = {str(UUID(row["id"])): dict(row) for row in rows(site, query)}
        judge(tabs, held, made(site.transcript))
        assert len(held) == PEOPLE * QUESTIONS, "nothing was asked twice"
        site.manage("reconcile", "--dry-run")
