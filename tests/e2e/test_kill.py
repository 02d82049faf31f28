"""SIGKILL of the inference process: no prompt is lost, no stream hangs, nothing is written twice.

The judge is the engine's own transcript, written before anything is delivered. A generation that is put
back in line makes the same text again, so what is stored must begin, or be, what the engine made.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.rows import dict_row

from bench import site as sites
from bench.client import Person, Stream

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

PEOPLE = 4
QUESTIONS = 5
"""Each person asks five: twenty in all, of which eight run at a time and the others wait."""

RECOVERY_S = 30
"""Every generation has ended this long after the kill, at the latest."""

FAST = {
    "CHATSITE_ENGINE": "emulated",
    "CHATSITE_EMULATED_STEP_S": "0.01",
    "CHATSITE_EMULATED_FIRST_TOKEN_S": "0.02",
    "CHATSITE_EMULATED_MAX_RUNNING": "8",
    "CHATSITE_EMULATED_ANSWER_TOKENS": "60",
    "RATE_LIMIT_PER_MINUTE": "10000",
}

LOG_TAIL = 6000

ENDED = {"finished", "interrupted"}


@pytest.fixture(scope="module")
def site() -> Iterator[sites.Site]:
    with sites.apart(FAST) as running:
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

    streams = await survive(site, f"Round {seed}", kill, RECOVERY_S)
    rows = stored(site)
    judge_readers(site, streams, rows)
    judge_text(streams, rows, made(site.transcript))


async def survive(
    site: sites.Site, title: str, kill: Callable[[], Awaitable[None]], timeout_s: float
) -> list[Stream]:
    """Twenty questions at once, a kill among them, and how each of them ended for its reader."""
    people = [Person(n, "127.0.0.1", site.port, cookie) for n, cookie in enumerate(site.people(PEOPLE))]
    await asyncio.gather(*(person.connect() for person in people))
    asked = [person.ask(f"{title}, question {n}") for n in range(QUESTIONS) for person in people]
    await kill()
    async with asyncio.timeout(timeout_s):
        streams = await asyncio.gather(*asked)
    for person in people:
        person.close()
    return streams


def worker_of(site: sites.Site) -> subprocess.Popen[bytes]:
    return next(c for c in reversed(site.children) if "inference_worker" in c.args and c.poll() is None)


def kill_worker(site: sites.Site) -> None:
    worker = worker_of(site)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    site.children.remove(worker)


def start_worker(site: sites.Site) -> None:
    site.spawn(sys.executable, "manage.py", "inference_worker")


def judge_readers(site: sites.Site, streams: list[Stream], rows: dict[str, dict[str, str]]) -> None:
    """Everything accepted has ended, as its reader was told, and the reader holds what is stored."""
    for stream in streams:
        assert not stream.failure.startswith(("socket", "rejected", "error")), said(site, stream)
        row = rows[stream.generation]
        assert row["status"] in ENDED, row
        assert row["message"] or row["status"] == "finished", "an interrupted answer says so"
        assert stream.text == row["content"], "what the reader holds is what is stored"
        assert stream.disorder == 0
    unended = [row for row in rows.values() if row["status"] in ("queued", "running")]
    assert not unended


def judge_text(streams: list[Stream], rows: dict[str, dict[str, str]], transcript: dict[str, str]) -> None:
    """What is stored is what the engine made, or the beginning of it."""
    for stream in streams:
        row = rows[stream.generation]
        text, engine = row["content"], transcript.get(stream.generation, "")
        if row["status"] == "finished":
            assert engine.endswith(text)
            assert engine == text or engine.startswith(text[: len(engine) - len(text)])
        else:
            assert engine.startswith(text)


def said(site: sites.Site, stream: Stream) -> str:
    return f"{stream.failure}; the site said:\n{site.log.read_text()[-LOG_TAIL:]}"


def stored(site: sites.Site) -> dict[str, dict[str, str]]:
    """Generation → its row with the answer, read past the site."""
    address = urlsplit(site.environment["DATABASE_URL"])
    with psycopg.connect(address.geturl(), row_factory=dict_row) as connection:
        found = connection.execute(
            "SELECT g.id::text, g.status, g.message, m.content FROM generations_generation g"
            " JOIN conversations_message m ON m.id = g.answer_id"
        )
        return {row["id"]: row for row in found}


def made(transcript: Path) -> dict[str, str]:
    """Generation → everything the engine made of it, over all its starts. A torn last line is no news."""
    texts: dict[str, str] = {}
    for line in transcript.read_text(encoding="utf-8").splitlines():
        try:
            step = json.loads(line)
        except json.JSONDecodeError:
            continue
        for generation, text in step.get("made", step).items():
            texts[generation] = texts.get(generation, "") + text
    return texts
