"""The load process: people from a plan on standard input, their streams as JSON on standard output.

A process of its own, so that its processor time is not taken for the site's. Every person connects
first; then each request is sent at its time. `python -m tests.support.load < plan.json`.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from time import perf_counter

import httpx
import msgspec

from tests.support.api_client import Program
from tests.support.chat_client import Person, Stream
from tests.support.errors import BenchmarkError
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE_S

CONNECT_AT_ONCE = 20
"""Handshakes in flight: opening the tabs is not what is measured."""


class Ask(msgspec.Struct, frozen=True):
    """One request: who sends it, and when, in seconds after all have connected."""

    person: int
    at_s: float
    content: str
    max_tokens: int | None = None
    temperature: float | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A load. `cookies` has one session per person; people spread over `ports`, the web processes, in turn.

    With `keys` in place of cookies they are programs, at `/v1`, each with one request at a time.
    `compare` fetches what was stored, to judge losses.
    """

    host: str
    ports: list[int]
    cookies: list[str] = []
    keys: list[str] = []
    asks: list[Ask]
    timeout_s: float
    compare: bool = True


class Outcome(msgspec.Struct, kw_only=True):
    """`zero` is the perf_counter time that `at_s` counts from; `cpu_s` is this process's own.

    `lost` and `doubled` count answers whose received text is shorter or longer than the stored one,
    `altered` those of equal length that differ.
    """

    zero: float
    streams: list[Stream]
    cpu_s: float
    compared: int = 0
    lost: int = 0
    doubled: int = 0
    altered: int = 0


async def connected(plan: Plan) -> list[Person | Program]:
    """Everybody, with an open connection."""
    ports, people = plan.ports, list[Person | Program]()
    if plan.keys:
        model = await served_model(plan)
        people += [
            Program(n, plan.host, ports[n % len(ports)], key, model) for n, key in enumerate(plan.keys)
        ]
    people += [Person(n, plan.host, ports[n % len(ports)], cookie) for n, cookie in enumerate(plan.cookies)]
    gate = asyncio.Semaphore(CONNECT_AT_ONCE)

    async def connect(person: Person | Program) -> None:
        async with gate:
            await person.connect()

    await asyncio.gather(*map(connect, people))
    return people


async def served_model(plan: Plan) -> str:
    """The name of the model that the site serves."""
    async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client:
        address = f"http://{plan.host}:{plan.ports[0]}/v1/models"
        response = await client.get(address, headers={"Authorization": f"Bearer {plan.keys[0]}"})
        response.raise_for_status()
    model: str = response.json()["data"][0]["id"]
    return model


async def ask(people: list[Person | Program], one: Ask, zero: float, timeout_s: float) -> Stream:
    await asyncio.sleep(max(0.0, zero + one.at_s - perf_counter()))
    future = people[one.person].ask(one.content, one.max_tokens, temperature=one.temperature)
    try:
        return await asyncio.wait_for(future, timeout_s)
    except TimeoutError:
        return Stream(one.person, zero + one.at_s, failure=f"no end within {timeout_s:g} s")


async def compare(plan: Plan, outcome: Outcome) -> None:
    """Read every finished answer back over HTTP and count what the stream lost, doubled or altered."""
    limits = httpx.Limits(max_connections=CONNECT_AT_ONCE)
    base = f"http://{plan.host}:{plan.ports[0]}/api/conversations/"
    async with httpx.AsyncClient(limits=limits, timeout=PATIENCE_S, trust_env=False) as client:
        gate = asyncio.Semaphore(CONNECT_AT_ONCE)

        async def stored(stream: Stream) -> str | None:
            async with gate:
                cookie = {"Cookie": plan.cookies[stream.person]}
                response = await client.get(base + stream.conversation, headers=cookie)
                response.raise_for_status()
            messages = {message["id"]: message["content"] for message in response.json()["messages"]}
            return messages.get(stream.answer)

        finished = [stream for stream in outcome.streams if stream.finished is not None]
        for stream, text in zip(finished, await asyncio.gather(*map(stored, finished)), strict=True):
            outcome.compared += 1
            if text is None or len(stream.text) < len(text):
                outcome.lost += 1
            elif len(stream.text) > len(text):
                outcome.doubled += 1
            else:
                outcome.altered += stream.text != text


async def load(plan: Plan) -> Outcome:
    """Carry the plan out."""
    people = await connected(plan)
    before = resource.getrusage(resource.RUSAGE_SELF)
    zero = perf_counter() + 0.2
    streams = await asyncio.gather(*(ask(people, one, zero, plan.timeout_s) for one in plan.asks))
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    outcome = Outcome(zero=zero, streams=streams, cpu_s=cpu_s)
    for person in people:
        person.close()
    if plan.compare:
        await compare(plan, outcome)
    return outcome


def run(plan: Plan) -> Outcome:
    """The plan, carried out in a process of its own. Raises BenchmarkError with that process's complaint."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.load"],
        cwd=ROOT, input=msgspec.json.encode(plan), capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BenchmarkError(f"the load client failed: {done.stderr.decode(errors='replace')[-2000:]}")
    return msgspec.json.decode(done.stdout, type=Outcome)


if __name__ == "__main__":
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(load(plan))))
