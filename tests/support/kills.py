"""Rounds in which a process is killed, and the judge of what is left."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import dict_row

from tests.support import site as sites
from tests.support.chat_client import Person, Stream
from tests.support.waiting import PATIENCE_S

PEOPLE = 4


QUESTIONS = 5
"""Each person asks five: twenty in all, of which eight run at a time and the others wait."""


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


async def survive(site: sites.Site, title: str, kill: Callable[[], Awaitable[None]]) -> list[Stream]:
    """Twenty questions at once, a kill among them, and how each of them ended for its reader."""
    people = [Person(n, "127.0.0.1", site.port, cookie) for n, cookie in enumerate(site.people(PEOPLE))]
    await asyncio.gather(*(person.connect() for person in people))
    asked = [person.ask(f"{title}, question {n}") for n in range(QUESTIONS) for person in people]
    await kill()
    async with asyncio.timeout(PATIENCE_S):
        streams = await asyncio.gather(*asked)
    for person in people:
        person.close()
    return streams


def is_worker(child: subprocess.Popen[bytes]) -> bool:
    return isinstance(child.args, Sequence) and "inference_worker" in child.args


def worker_of(site: sites.Site) -> subprocess.Popen[bytes]:
    return next(child for child in reversed(site.children) if is_worker(child) and child.poll() is None)


def kill_worker(site: sites.Site) -> None:
    worker = worker_of(site)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    site.children.remove(worker)


def start_worker(site: sites.Site, **settings: str) -> subprocess.Popen[bytes]:
    """One more inference process, with a metrics port of its own."""
    own = {"CHATSITE_METRICS_PORT": str(sites.free_port()), **settings}
    return site.spawn(sys.executable, "manage.py", "inference_worker", **own)


def judge_readers(site: sites.Site, streams: list[Stream], rows: dict[str, dict[str, str]]) -> None:
    """Everything accepted has ended, as its reader was told, and the reader holds what is stored."""
    for stream in streams:
        assert not stream.failure.startswith(("socket", "rejected", "error")), said(site, stream)
        row = rows[stream.generation]
        assert row["status"] in ENDED, row
        assert row["message"] or row["status"] == "finished", "an interrupted answer says so"
        assert stream.text == row["content"], "what the reader holds is what is stored"
        assert stream.disorder == 0, f"{stream.arrivals[-4:]} seq {stream.seq} {row}"
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
