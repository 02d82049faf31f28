"""Can one member, or one stranger, slow the site for everybody else?

Ten members ask short questions, each the next one as soon as the last was answered: a while alone, then
beside a storm, for each storm in turn, on one process with SQLite. An attacker is an ordinary account or a
stranger.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from bench.results import Result
from tests.support.chat_client import Person
from tests.support.errors import BenchmarkError
from tests.support.site import HOST, Site, embedded
from tests.support.stats import percentile, spread
from tests.support.storms import SETTINGS, STORMS, Attacker, Storm

MEMBERS = 10
SPELL_S, FULL_SPELL_S = 8.0, 30.0
SETTLE_S = 5.0
"""After a storm: what it began ends."""

BACK_S = 60.0
"""How long memory may take to come back: connections that nobody reads are closed meanwhile."""

MESSAGES, CHARS = 10, 3_250_000
"""The attacker's own long conversation: 32 MB."""

BETWEEN_S = 0.2
TOKENS = 4
SAMPLE_S = 0.25


@dataclass
class Spell:
    """What the members met in one stretch of time."""

    accepted_s: list[float] = field(default_factory=list)
    ttft_s: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    disorder: int = 0


@dataclass
class Turn:
    """A storm with the spell before it, and the site's memory in MB: before, at most, and afterwards."""

    alone: Spell
    beside: Spell
    before_mb: float
    peak_mb: float
    after_mb: float
    told: dict[str, int]


async def ask_until(person: Person, over: asyncio.Event, spell: Spell) -> None:
    while not over.is_set():
        stream = await person.ask("Why is the sky blue?", TOKENS)
        if stream.accepted is not None:
            spell.accepted_s.append(stream.accepted - stream.sent)
        if stream.ttft_s is not None:
            spell.ttft_s.append(stream.ttft_s)
        if stream.failure:
            spell.failed.append(stream.failure)
        spell.disorder += stream.disorder
        await asyncio.sleep(BETWEEN_S)


async def spell(people: list[Person], seconds: float) -> Spell:
    found, over = Spell(), asyncio.Event()
    asking = [asyncio.create_task(ask_until(person, over, found)) for person in people]
    await asyncio.sleep(seconds)
    over.set()
    await asyncio.gather(*asking)
    return found


def memory_mb(site: Site) -> float:
    return sum(use.rss_mb for use in site.use().values())


async def watch(site: Site, over: asyncio.Event) -> float:
    """The most memory until it is over."""
    most = 0.0
    while not over.is_set():
        most = max(most, await asyncio.to_thread(memory_mb, site))
        await asyncio.sleep(SAMPLE_S)
    return most


async def turn(site: Site, people: list[Person], attacker: Attacker, storm: Storm, seconds: float) -> Turn:
    alone = await spell(people, seconds)
    before = memory_mb(site)
    attacker.told.clear()
    over = asyncio.Event()
    raging = asyncio.create_task(storm(attacker, over))
    watching = asyncio.create_task(watch(site, over))
    beside = await spell(people, seconds)
    over.set()
    peak = await watching
    await raging
    await asyncio.sleep(SETTLE_S)
    ends = perf_counter() + BACK_S
    while (after := memory_mb(site)) > before + 64 and perf_counter() < ends:  # noqa: ASYNC110
        await asyncio.sleep(1)
    return Turn(alone, beside, before, peak, after, dict(attacker.told))


async def measure(site: Site, seconds: float) -> dict[str, Turn]:
    cookies = site.people(MEMBERS + 1)
    people = [Person(n, HOST, site.port, cookie) for n, cookie in enumerate(cookies[1:])]
    for person in people:
        await person.connect()
    attacker = Attacker(site, cookies[0])
    await attacker.prepare(MESSAGES, CHARS)
    await spell(people, seconds / 2)  # what is loaded by the first requests belongs to no side
    found = {}
    for name, storm in STORMS.items():
        found[name] = await turn(site, people, attacker, storm, seconds)
    for person in people:
        person.close()
    return found


def ratio(beside: list[float], alone: list[float]) -> float:
    return percentile(beside, 95) / percentile(alone, 95) if beside and alone else math.inf


def row(name: str, met: Turn) -> list[Any]:
    p95 = [percentile(samples, 95) * 1000 for samples in (
        met.alone.accepted_s, met.beside.accepted_s, met.alone.ttft_s, met.beside.ttft_s,
    )]  # fmt: skip
    return [
        name, len(met.beside.accepted_s), *p95, ratio(met.beside.accepted_s, met.alone.accepted_s),
        ratio(met.beside.ttft_s, met.alone.ttft_s), len(met.beside.failed), met.peak_mb - met.before_mb,
        met.after_mb - met.before_mb, "; ".join(f"{count}× {words}" for words, count in met.told.items()),
    ]  # fmt: skip


def run(full: bool) -> Result:
    """Every storm on one site."""
    seconds = FULL_SPELL_S if full else SPELL_S
    with embedded(SETTINGS) as site:
        site.wait("/readyz")
        found = asyncio.run(measure(site, seconds))
    if not all(met.alone.accepted_s for met in found.values()):
        raise BenchmarkError("nobody's question was accepted")
    rows = [row(name, met) for name, met in found.items()]
    return Result(
        name="hostile",
        engine="emulated",
        full=full,
        settings=SETTINGS | {
            "members": MEMBERS, "spell_s": seconds, "messages": MESSAGES, "chars": CHARS, "tokens": TOKENS,
        },
        summary={
            "accept_p95_ratio": max(line[6] for line in rows),
            "ttft_p95_ratio": max(line[7] for line in rows),
            "memory_rise_mb": max(line[9] for line in rows),
            "memory_after_mb": max(line[10] for line in rows),
            "failed": sum(line[8] for line in rows),
            "disorder": sum(met.beside.disorder for met in found.values()),
        },
        columns=(
            "storm", "questions", "accept p95 ms alone", "beside", "TTFT p95 ms alone", "beside",
            "accept ratio", "TTFT ratio", "failed", "rise MB", "after MB", "attacker was told",
        ),
        rows=rows,
        samples={
            name: {
                "alone": {"accepted_s": spread(met.alone.accepted_s), "ttft_s": spread(met.alone.ttft_s)},
                "beside": {"accepted_s": spread(met.beside.accepted_s), "ttft_s": spread(met.beside.ttft_s)},
                "failed": met.beside.failed,
            } for name, met in found.items()
        },
    )  # fmt: skip
