"""What fifty answers and their askers see when a part of the site is killed, frozen, cut off or restarted.

Each trouble meets fifty running answers, on PostgreSQL and Redis, with a standby beside the owner of the
queue. At the same moment everybody asks once more. What the readers hold, what is stored and what the engine
made are compared afterwards.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import dict_row

from bench.results import Result
from tests.support import services
from tests.support.errors import BenchmarkError
from tests.support.kills import ENDED, is_worker, made
from tests.support.prepared import prepared_apart
from tests.support.silent_proxy import SilentProxy
from tests.support.site import Site
from tests.support.tab import Tab
from tests.support.waiting import PATIENCE_S, until
from tests.support.workers import Worker, cut_path, end_first_worker

PEOPLE, EACH = 25, 2

SETTINGS = {
    "CHATSITE_ENGINE": "emulated",
    "CHATSITE_EMULATED_STEP_S": "0.05",
    "CHATSITE_EMULATED_FIRST_TOKEN_S": "0.05",
    "CHATSITE_EMULATED_MAX_RUNNING": "64",
    "CHATSITE_EMULATED_ANSWER_TOKENS": "160",
    "CHATSITE_DRAIN_S": "120",
    "RATE_LIMIT_PER_MINUTE": "10000",
}
"""Eight seconds an answer, all of them at once."""

SETTLE_S = 1.0
"""From the last question to the trouble: every answer has begun by then."""

AFTER = "After the trouble"

ENDS = ENDED | {"timed_out"}
"""A question that waits longer than 30 s ends by its deadline, also where nobody could serve it."""

ROWS = """
SELECT g.id::text, g.status, g.claimed_at, a.content, q.content AS question
FROM generations_generation g
JOIN conversations_message a ON a.id = g.answer_id JOIN conversations_message q ON q.id = a.parent_id
"""


@dataclass
class Part:
    """What there is to be troubled."""

    site: Site
    owner: Worker
    standby: Worker
    path: SilentProxy
    restart: asyncio.Task[None] | None = None


@dataclass
class Seen:
    """What became of the questions of one round."""

    name: str
    running: int = 0
    next_s: float = 0.0
    lost: int = 0
    doubled: int = 0
    altered: int = 0
    interrupted: int = 0
    timed_out: int = 0
    reconciled: bool = False
    waits_s: list[float] = field(default_factory=list)

    def row(self) -> list[Any]:
        exact = "exact" if self.reconciled else "differs"
        counts = (self.lost, self.doubled, self.altered, self.interrupted, self.timed_out)
        return [self.name, self.running, self.next_s, *counts, exact]


async def kill(part: Part) -> None:
    part.owner.signal(signal.SIGKILL)


async def freeze(part: Part) -> None:
    part.owner.signal(signal.SIGSTOP)


async def cut(part: Part) -> None:
    part.path.silence()


async def stop(part: Part) -> None:
    part.owner.signal(signal.SIGTERM)


async def drop(part: Part) -> None:
    name = urlsplit(part.site.environment["DATABASE_URL"]).path.lstrip("/")
    with psycopg.connect(services.POSTGRES_URL, autocommit=True) as server:
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


async def restart_web(part: Part) -> None:
    """SIGTERM of the only web process, and a new one once the old one takes no connection any more."""
    web = next(child for child in part.site.children if not is_worker(child))
    web.terminate()
    part.site.children.remove(web)

    async def start_again() -> None:
        command = tuple(map(str, web.args))  # type: ignore[arg-type]
        await asyncio.to_thread(web.wait, PATIENCE_S)
        part.site.spawn(*command)

    part.restart = asyncio.create_task(start_again())


TROUBLES: dict[str, Callable[[Part], Awaitable[None]]] = {
    "owner killed (SIGKILL)": kill,
    "owner frozen (SIGSTOP)": freeze,
    "owner cut off from PostgreSQL": cut,
    "owner stopped (SIGTERM)": stop,
    "PostgreSQL ends all connections": drop,
    "web process restarted (SIGTERM)": restart_web,
}


def stored(site: Site) -> dict[str, dict[str, Any]]:
    with psycopg.connect(site.environment["DATABASE_URL"], row_factory=dict_row) as connection:
        return {row["id"]: row for row in connection.execute(ROWS)}


async def one(site: Site, name: str) -> Seen:
    """One trouble, with an owner and a standby of its own."""
    before = set(stored(site))
    cookies = site.people(PEOPLE)  # takes seconds, in which nothing on this loop would be forwarded
    async with AsyncExitStack() as stack:
        path, settings = await stack.enter_async_context(cut_path(site))
        owner = Worker(site, **(settings if TROUBLES[name] is cut else {}))
        stack.push_async_callback(owner.end)
        await owner.until_role("owner")
        standby = Worker(site)
        stack.push_async_callback(standby.end)
        await standby.until_role("standby")
        part = Part(site, owner, standby, path)
        tabs = [Tab(site, cookie, open=True) for cookie in cookies]
        for number, tab in enumerate(tabs):
            for turn in range(EACH):
                tab.ask(f"{name}: {number}, {turn}")
        living = [asyncio.create_task(tab.live()) for tab in tabs]
        await until(lambda: sum(len(tab.accepted) for tab in tabs) == PEOPLE * EACH)
        await asyncio.sleep(SETTLE_S)
        seen = Seen(name, running=sum(row["status"] == "running" for row in stored(site).values()))
        await owner.until_role("owner")
        at = datetime.now(UTC)
        await TROUBLES[name](part)
        for number, tab in enumerate(tabs):
            await tab.ask_last(f"{AFTER}: {name}: {number}")
        _, unanswered = await asyncio.wait(living, timeout=PATIENCE_S)
        for task in unanswered:
            task.cancel()
        rows = {id: row for id, row in stored(site).items() if id not in before}
        judge(seen, tabs, rows, at, made(site.transcript))
        if name.startswith("owner frozen"):
            answered = stored(site)
            owner.signal(signal.SIGCONT)
            await owner.ended()
            seen.altered += sum(stored(site)[id] != row for id, row in answered.items())
        if part.restart is not None:
            await part.restart
        seen.reconciled = reconciled(site)
    return seen


def judge(
    seen: Seen, tabs: list[Tab], rows: dict[str, dict[str, Any]], at: datetime, transcript: dict[str, str]
) -> None:
    asked = sum(len(tab.asked) for tab in tabs)
    held = {id: answer for tab in tabs for id, answer in tab.answers.items()}
    seen.timed_out = sum(row["status"] == "timed_out" for row in rows.values())
    ended = [id for id in held if id in rows and rows[id]["status"] in ENDS and held[id].finish_reason]
    seen.lost = asked - len(ended)
    seen.doubled = len(rows) - len({row["question"] for row in rows.values()})
    seen.interrupted = sum(row["status"] == "interrupted" for row in rows.values())
    for id in ended:
        text, engine = rows[id]["content"], transcript.get(id, "")
        whole = engine.endswith(text) if rows[id]["status"] == "finished" else text in engine
        seen.altered += held[id].text != text or not whole
    begun = [row["claimed_at"] for row in rows.values() if row["question"].startswith(AFTER)]
    seen.waits_s = sorted((one - at).total_seconds() for one in begun if one)
    seen.next_s = seen.waits_s[0] if seen.waits_s else float("nan")


def reconciled(site: Site) -> bool:
    try:
        site.manage("reconcile", "--dry-run")
    except (BenchmarkError, subprocess.SubprocessError):
        return False
    return True


async def all_of(site: Site) -> list[Seen]:
    return [await one(site, name) for name in TROUBLES]


def run(full: bool) -> Result:
    """Every trouble once; the long form three times."""
    seen: list[Seen] = []
    for _ in range(3 if full else 1):
        with prepared_apart(SETTINGS) as (site,):
            end_first_worker(site)
            seen += asyncio.run(all_of(site))
    columns = (
        "running answers and",
        "running",
        "s to the next answer",
        "lost",
        "doubled",
        "altered",
        "interrupted",
        "timed out",
        "ledger",
    )
    return Result(
        name="failover",
        engine="emulated",
        full=full,
        settings=SETTINGS | {"people": PEOPLE, "questions_each": EACH + 1},
        summary={
            "lost": sum(one.lost for one in seen),
            "doubled": sum(one.doubled for one in seen),
            "altered": sum(one.altered for one in seen),
            "stalled_next_s": max(
                one.next_s for one in seen if "frozen" in one.name or "cut off" in one.name
            ),
            "stopped_interrupted": sum(one.interrupted for one in seen if "SIGTERM" in one.name),
        },
        columns=columns,
        rows=[one.row() for one in seen],
        samples={"waits_s": [[one.name, one.waits_s] for one in seen]},
        notes=[
            "The next answer: from the trouble until one of the questions asked right after it begins.",
            "Stopped: the old owner finishes what runs before the standby begins, as one card demands.",
        ],
    )
