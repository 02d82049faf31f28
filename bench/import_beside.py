"""Do one member's imports hold up everybody else's questions?

Ten members ask short questions, each their next one as soon as the last was answered: a while alone, then
beside one import of each kind, on one process with SQLite. The clock of a question runs from its frame to
`accepted`, which is its commit.
"""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx

from bench.results import Result
from tests.support import cpu_use
from tests.support.chat_client import Person
from tests.support.errors import BenchmarkError
from tests.support.site import HOST, Site, embedded
from tests.support.stats import percentile, spread

MEMBERS = 10
ALONE_S = 20.0
SETTLE_S = 3.0
"""Between an import's end and the next spell: its last pages go to the disk."""

BETWEEN_S = 0.2
TOKENS = 2
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PART_BYTES = 10**6

SETTINGS = {
    "CHATSITE_ENGINE": "emulated",
    "CHATSITE_TITLES": "off",
    "RATE_LIMIT_PER_MINUTE": "100000",
    "CHATSITE_LOG_LEVEL": "WARNING",
}


def conversation(id: str, messages: int, words: int) -> bytes:
    """A conversation in this site's own format; every text is another one, Chinese and English."""
    turns = [
        {
            "id": f"{id}-{n}",
            "parent": f"{id}-{n - 1}" if n else None,
            "role": "assistant" if n % 2 else "user",
            "content": " ".join(
                f"推理与调度{(n * 31 + w) % 9973} word{(n * 17 + w) % 7919}" for w in range(words)
            ),
            "created_at": (BEGIN + timedelta(seconds=n)).isoformat(),
        }
        for n in range(messages)
    ]
    record = {
        "format": "chatsite.conversation", "version": 1, "id": id, "title": f"对话 {id}",
        "created_at": BEGIN.isoformat(), "updated_at": BEGIN.isoformat(), "messages": turns,
    }  # fmt: skip
    return json.dumps(record, ensure_ascii=False).encode()


def many(count: int) -> bytes:
    """A zip of small conversations."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(count):
            archive.writestr(f"conversations/{n}.json", conversation(f"small-{n}", 4, 12))
    return target.getvalue()


IMPORTS: dict[str, Callable[[bool], bytes]] = {
    "one conversation, 90,000 messages": lambda full: conversation("long", 90_000 if full else 20_000, 6),
    "one conversation, 20,000 messages, 118 MB": lambda full: conversation(
        "heavy", 20_000 if full else 2_000, 210
    ),
    "10,000 small conversations": lambda full: many(10_000 if full else 1_500),
}


@dataclass
class Spell:
    """Seconds from asking to accepted, and what failed, of all members in one stretch of time."""

    accepted_s: list[float] = field(default_factory=list)
    ttft_s: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0
    job_mib: float = 0.0
    outcome: str = ""


async def ask_until(person: Person, over: asyncio.Event, spell: Spell) -> None:
    while not over.is_set():
        stream = await person.ask("Why is the sky blue?", TOKENS)
        if stream.accepted is not None:
            spell.accepted_s.append(stream.accepted - stream.sent)
        if stream.ttft_s is not None:
            spell.ttft_s.append(stream.ttft_s)
        if stream.failure:
            spell.failed.append(stream.failure)
        await asyncio.sleep(BETWEEN_S)


async def spell(people: list[Person], until: Callable[[Spell], Any]) -> Spell:
    """What the members met while `until` ran."""
    found, over, began = Spell(), asyncio.Event(), perf_counter()
    asking = [asyncio.create_task(ask_until(person, over, found)) for person in people]
    await until(found)
    found.seconds = perf_counter() - began
    over.set()
    await asyncio.gather(*asking)
    return found


async def send(site: Site, client: httpx.AsyncClient, content: bytes, found: Spell) -> None:
    """Import this file to its end, as the page does."""
    job = (await client.post("/api/archive/imports", json={"size": len(content)})).json()
    for offset in range(0, len(content), PART_BYTES):
        path = f"/api/archive/{job['id']}/data?offset={offset}"
        answer = await client.put(path, content=content[offset : offset + PART_BYTES])
        answer.raise_for_status()
    while job["status"] in ("receiving", "queued", "running"):
        await asyncio.sleep(0.2)
        found.job_mib = max(found.job_mib, job_mib(site))
        with suppress(httpx.TransportError):
            job = (await client.get(f"/api/archive/{job['id']}")).json()
    found.outcome = job["status"] if job["status"] == "finished" else f"{job['status']}: {job['message']}"


def job_mib(site: Site) -> float:
    """Resident memory of the import's process."""
    most = 0.0
    for pid in cpu_use.tree(site.children[0].pid):
        with suppress(OSError, IndexError):
            if b"run_job" in Path(f"/proc/{pid}/cmdline").read_bytes():
                most = max(most, int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20)
    return most


async def measure(site: Site, full: bool) -> dict[str, Spell]:
    people = [Person(n, HOST, site.port, cookie) for n, cookie in enumerate(site.people(MEMBERS))]
    for person in people:
        await person.connect()
    headers = site.page_headers()
    async with httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=60, headers=headers) as client:
        await spell(people, lambda _: asyncio.sleep(SETTLE_S))  # what is loaded first belongs to no side
        found = {"alone": await spell(people, lambda _: asyncio.sleep(ALONE_S if full else ALONE_S / 4))}
        for name, make in IMPORTS.items():
            content = await asyncio.to_thread(make, full)

            def run(met: Spell, content: bytes = content) -> Any:
                return send(site, client, content, met)

            found[name] = await spell(people, run)
            await asyncio.sleep(SETTLE_S)
    for person in people:
        person.close()
    return found


def row(name: str, met: Spell, alone: Spell) -> list[Any]:
    accepted = [percentile(met.accepted_s, p) * 1000 for p in (50, 95, 100)]
    return [
        name, met.seconds, len(met.accepted_s), *accepted,
        percentile(met.accepted_s, 95) / percentile(alone.accepted_s, 95),
        percentile(met.ttft_s, 95) / percentile(alone.ttft_s, 95),
        len(met.failed), met.job_mib, met.outcome,
    ]  # fmt: skip


def run(full: bool) -> Result:
    """The short form imports a fifth of each file."""
    with embedded(SETTINGS) as site:
        site.wait("/readyz")
        found = asyncio.run(measure(site, full))
    alone = found["alone"]
    if not alone.accepted_s:
        raise BenchmarkError("nobody's question was accepted")
    rows = [row(name, met, alone) for name, met in found.items()]
    return Result(
        name="import_beside",
        engine="emulated",
        full=full,
        settings=SETTINGS | {"members": MEMBERS, "between_s": BETWEEN_S, "tokens": TOKENS},
        summary={
            "accept_p95_ratio": max(line[6] for line in rows[1:]),
            "accept_max_ms": max(line[5] for line in rows[1:]),
            "ttft_p95_ratio": max(line[7] for line in rows[1:]),
            "failed": sum(len(met.failed) for met in found.values()),
        },
        columns=(
            "beside", "seconds", "questions", "accept p50 ms", "accept p95 ms", "accept max ms",
            "accept p95 ratio", "TTFT p95 ratio", "failed", "job MiB", "import",
        ),
        rows=rows,
        samples={
            name: {
                "accepted_s": spread(met.accepted_s), "ttft_s": spread(met.ttft_s), "failed": met.failed
            } for name, met in found.items()
        },
    )  # fmt: skip
