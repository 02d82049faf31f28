"""What one question costs the site: processor time and SQL statements, from request to settlement.

One question at a time, one token made, on an emulated engine: by a person's socket (a new chat, a follow-up,
a follow-up in a conversation of 1,250 messages) and by `/v1`; beside them `GET /v1/models` and `/healthz`.
Sides: one process on SQLite, and the tiers apart on PostgreSQL and Redis. Statements are counted on a site of
their own, since noting them takes time.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from bench.results import ROOT, Result, last_line
from tests.support import cpu_use
from tests.support import site_keys as keys
from tests.support.api_client import Program
from tests.support.chat_client import Person, Stream
from tests.support.errors import BenchmarkError
from tests.support.load import Plan, served_model
from tests.support.site import HOST, Site, apart, embedded
from tests.support.stats import percentile, spread
from tests.support.waiting import PATIENCE_S

SETTINGS = {
    "CHATSITE_ENGINE": "emulated",
    "CHATSITE_EMULATED_PRESET": "peer",
    # A step of 50 ms would only add what the site does while it waits.
    "CHATSITE_EMULATED_STEP_S": "0.005",
    "CHATSITE_EMULATED_ANSWER_TOKENS": "0",
    "RATE_LIMIT_PER_MINUTE": "100000",
}

PEOPLE = 20
"""They ask in turn: one account may ask five times a second."""

LONG_PEOPLE, LONG_MESSAGES = 5, 1_250
"""Whose conversation is long, and how long. What it is told is counted once more for each question today."""

WARM_UP, SHORT, FULL = 20, 60, 400
"""Questions of each kind: before anything is measured, and those that are."""

COUNTED = 15
"""Questions of each kind whose statements are counted."""

SETTLE_S = 0.03
"""After an end: what the site still does for it, such as telling other tabs, is its cost too."""

KINDS = ("new_chat", "follow_up", "long", "api", "models", "healthz")


@dataclass
class Cost:
    """What each question of one kind cost. `first_ms`: the part before its first token had arrived."""

    cpu_ms: list[float] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)
    accepted_ms: list[float] = field(default_factory=list)
    statements: list[int] = field(default_factory=list)


@dataclass
class Meter:
    """Reads the processor time of a site's processes, and how many statements they have noted."""

    pids: list[int]
    log: Path | None = None
    first_s: float = 0.0

    def cpu_s(self) -> float:
        return cpu_use.exact_cpu_s(*self.pids)

    def note_first(self) -> None:
        """The first token is here."""
        self.first_s = self.cpu_s()

    def statements(self) -> int:
        return self.log.read_bytes().count(b"\n") if self.log else 0

    async def measure(self, ask: Ask, warm_up: int, count: int) -> Cost:
        """Ask, one after the other; the first `warm_up` are not kept. Raises BenchmarkError."""
        cost = Cost()
        for number in range(warm_up + count):
            noted, began = self.statements(), self.cpu_s()
            stream = await ask(number)
            await asyncio.sleep(SETTLE_S)
            ended = self.cpu_s()
            if number < warm_up:
                continue
            cost.cpu_ms.append((ended - began) * 1000)
            cost.statements.append(self.statements() - noted)
            if stream is not None:
                cost.first_ms.append((self.first_s - began) * 1000)
                cost.accepted_ms.append(((stream.accepted or stream.sent) - stream.sent) * 1000)
        return cost


Ask = Callable[[int], Awaitable[Stream | None]]
"""Asks for the n-th time; the finished stream, or None where there is none. Raises BenchmarkError."""


class WatchedPerson(Person):
    """Tells the meter of each first text."""

    meter: Meter

    def _delta(self, frame: Any, at: float) -> None:
        self.meter.note_first()
        super()._delta(frame, at)


class WatchedProgram(Program):
    """The same at `/v1`."""

    meter: Meter

    def _take(self, event: Any, at: float) -> None:
        if any(choice.delta.content for choice in event.choices):
            self.meter.note_first()
        super()._take(event, at)


async def asked(question: Awaitable[Stream]) -> Stream:
    """The finished stream. Raises BenchmarkError where there is none."""
    stream = await asyncio.wait_for(question, PATIENCE_S)
    if stream.failure:
        raise BenchmarkError(f"a question failed: {stream.failure}")
    return stream


Place = tuple[UUID, UUID]
"""A conversation, and the message that questions follow."""


class PeopleAsking:
    """People at their sockets, who ask in turn."""

    def __init__(self, people: Sequence[Person], long: Sequence[Place]) -> None:
        self._people, self._long = people, long
        self._chats: dict[int, Place] = {}

    async def new_chat(self, number: int) -> Stream:
        at = number % len(self._people)
        stream = await asked(self._people[at].ask(f"Question {number}: why is the sky blue?", 1))
        self._chats[at] = UUID(stream.conversation), UUID(stream.answer)
        return stream

    async def follow_up(self, number: int) -> Stream:
        return await self._follow(number, self._chats[number % len(self._people)], len(self._people))

    async def long(self, number: int) -> Stream:
        return await self._follow(number, self._long[number % len(self._long)], len(self._long))

    async def _follow(self, number: int, place: Place, count: int) -> Stream:
        return await asked(self._people[number % count].ask(f"{number}: and at night?", 1, *place))


def ask_for(port: int, path: str, key: str = "") -> Ask:
    """GET this path again and again on one connection."""
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\n{authorization}\r\n".encode()
    connection: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(_number: int) -> None:
        if not connection:  # no sooner, as the site closes connections that nobody uses
            connection.append(await asyncio.open_connection(HOST, port))
        reader, writer = connection[0]
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise BenchmarkError(f"{path} answered {head[:40]!r}")
        if b"transfer-encoding: chunked" in head:
            await reader.readuntil(b"0\r\n\r\n")
        else:
            await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))

    return ask


def long_conversations(site: Site, count: int) -> list[Place]:
    """A conversation of LONG_MESSAGES for each of the first people. Raises BenchmarkError."""
    emails = [f"person{number}@bench.invalid" for number in range(count)]
    command = [sys.executable, "-m", "bench.long_conversation", str(LONG_MESSAGES), *emails]
    done = subprocess.run(command, cwd=ROOT, env=site.environment, capture_output=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"no conversation of {LONG_MESSAGES} messages: {done.stderr.decode()[-500:]}")
    lines = [line.split() for line in done.stdout.decode().splitlines()]
    return [(UUID(conversation), UUID(leaf)) for conversation, leaf in lines]


async def measure(site: Site, meter: Meter, warm_up: int, count: int) -> dict[str, Cost]:
    """Every kind of question, one kind after the other."""
    cookies = site.people(PEOPLE)
    long = long_conversations(site, LONG_PEOPLE)
    texts = keys.of(site, PEOPLE)
    model = await served_model(Plan(host=HOST, ports=[site.port], keys=texts, asks=[], timeout_s=0))
    people = [WatchedPerson(n, HOST, site.port, cookie) for n, cookie in enumerate(cookies)]
    programs = [WatchedProgram(n, HOST, site.port, key, model) for n, key in enumerate(texts)]
    askers: list[WatchedPerson | WatchedProgram] = [*people, *programs]
    for asker in askers:
        asker.meter = meter
    for person in people:
        await person.connect()

    async def by_api(number: int) -> Stream:
        program = programs[number % PEOPLE]
        if number < PEOPLE:
            await program.connect()
        return await asked(program.ask(f"Question {number}: why is the sky blue?", 1))

    asking = PeopleAsking(people, long)
    kinds: Mapping[str, Ask] = {
        "new_chat": asking.new_chat,
        "follow_up": asking.follow_up,
        "long": asking.long,
        "api": by_api,
        "models": ask_for(site.port, "/v1/models", texts[0]),
        "healthz": ask_for(site.port, "/healthz"),
    }
    found = {}
    for kind, ask in kinds.items():
        some = max(10, count // 5) if kind == "long" else count
        found[kind] = await meter.measure(ask, warm_up, some)
    for asker in askers:
        asker.close()
    return found


def pids(sites: Sequence[Site]) -> list[int]:
    """Every process of the site."""
    return [pid for site in sites for child in site.children for pid in cpu_use.tree(child.pid)]


def on_embedded(settings: Mapping[str, str], log: Path | None, warm_up: int, count: int) -> dict[str, Cost]:
    with embedded(settings) as site:
        site.wait("/readyz")
        return asyncio.run(measure(site, Meter(pids([site]), log), warm_up, count))


def on_tiers(settings: Mapping[str, str], log: Path | None, warm_up: int, count: int) -> dict[str, Cost]:
    """Raises BenchmarkError without PostgreSQL or Redis."""
    with apart(settings) as sites:
        return asyncio.run(measure(sites[0], Meter(pids(sites), log), warm_up, count))


def costs(run_side: Callable[..., dict[str, Cost]], count: int) -> dict[str, Cost]:
    """Of one side: time from a site as it is, statements from one that notes them."""
    found = run_side(SETTINGS, None, WARM_UP, count)
    with TemporaryDirectory(prefix="chatsite-bench-") as folder:
        log = Path(folder) / "statements.log"
        log.touch()
        noting = {
            "DJANGO_SETTINGS_MODULE": "tests.support.statement_log_settings",
            "STATEMENT_LOG": str(log),
        }
        noted = run_side(SETTINGS | noting, log, WARM_UP, COUNTED)
    for kind, cost in found.items():
        cost.statements = noted[kind].statements
    return found


def rows(side: str, found: Mapping[str, Cost]) -> list[list[Any]]:
    return [
        [
            side, kind, median(cost.cpu_ms), percentile(cost.first_ms, 50), percentile(cost.cpu_ms, 95),
            percentile(cost.accepted_ms, 50), int(median(cost.statements)),
        ]
        for kind, cost in found.items()
    ]  # fmt: skip


def run(full: bool) -> Result:
    """The short form asks sixty times each, the full form four hundred times."""
    count = FULL if full else SHORT
    sides = {"SQLite, one process": costs(on_embedded, count)}
    notes = [
        "The engine is emulated (5 ms a step, one token an answer); its work is part of the site's.",
        "Medians over questions, so that what the site does by itself every second counts for nothing.",
        "CPU: all threads of web and inference, by the kernel's own count. The client is not in it.",
        "To first: the part before the first token was received.",
        f"long: a follow-up in a conversation of {LONG_MESSAGES:,} messages.",
        "Statements: with BEGIN on SQLite, where Django sends it itself.",
    ]
    try:
        sides["PostgreSQL, Redis, two processes"] = costs(on_tiers, count)
    except BenchmarkError as error:
        notes.append(f"PostgreSQL was not measured: {last_line(error)}")
    lite, *tiers = sides.values()
    summary: dict[str, float] = {}
    for prefix, found in (("", lite), *(("postgres_", one) for one in tiers)):
        for kind in KINDS:
            summary[f"{prefix}{kind}_ms"] = median(found[kind].cpu_ms)
        summary[f"{prefix}first_ms"] = median(found["new_chat"].first_ms)
        summary[f"{prefix}long_accepted_ms"] = median(found["long"].accepted_ms)
        summary[f"{prefix}statements"] = max(int(median(found[kind].statements)) for kind in KINDS[:4])
    return Result(
        name="question",
        engine="emulated",
        full=full,
        settings=SETTINGS | {"people": PEOPLE, "questions": count, "long_messages": LONG_MESSAGES},
        summary=summary,
        columns=("side", "what", "CPU ms", "to first ms", "CPU p95 ms", "accepted ms", "statements"),
        rows=[line for side, found in sides.items() for line in rows(side, found)],
        samples={
            side: {
                kind: {
                    "cpu_ms": spread(cost.cpu_ms),
                    "first_ms": spread(cost.first_ms),
                    "accepted_ms": spread(cost.accepted_ms),
                    "statements": cost.statements,
                }
                for kind, cost in found.items()
            }
            for side, found in sides.items()
        },
        notes=notes,
    )
