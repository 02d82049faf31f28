"""The emulated engine without a site: the other side of `burst` and `capacity`, in a process of its own."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from collections.abc import Mapping
from time import perf_counter

import msgspec

from bench.results import ROOT
from inference.engines.base import EngineRequest
from inference.engines.emulated.engine import EmulatedEngine, EmulatedSettings
from inference.request import ChatMessage, Sampling
from tests.support.errors import BenchmarkError
from tests.support.load import Ask


class Alone(msgspec.Struct):
    """Times to first text in seconds, in the order of the asks; tokens made; processor seconds used."""

    ttft_s: list[float]
    tokens: int
    cpu_s: float


async def drive(asks: list[Ask]) -> Alone:
    """Hand every request over at its time and read all steps."""
    engine = EmulatedEngine(EmulatedSettings.from_env())
    await engine.start(lambda _what, _done: None)
    added: dict[str, float] = {}
    first: dict[str, float] = {}
    tokens = 0

    async def read() -> None:
        nonlocal tokens
        left = len(asks)
        async for step in engine.steps():
            now = perf_counter()
            for output in step.outputs:
                tokens += output.new_tokens
                if output.text:
                    first.setdefault(output.id, now)
                left -= output.finish_reason is not None
            if not left:
                return

    async def add(number: int, ask: Ask, zero: float) -> None:
        await asyncio.sleep(zero + ask.at_s - perf_counter())
        added[str(number)] = perf_counter()
        messages = (ChatMessage("user", ask.content),)
        limit = ask.max_tokens or 1
        request = EngineRequest(id=str(number), messages=messages, sampling=Sampling(), max_tokens=limit)
        await engine.add(request)

    before = resource.getrusage(resource.RUSAGE_SELF)
    zero = perf_counter() + 0.1
    await asyncio.gather(read(), *(add(number, ask, zero) for number, ask in enumerate(asks)))
    after = resource.getrusage(resource.RUSAGE_SELF)
    await engine.close()
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Alone([first[name] - added[name] for name in sorted(added, key=int)], tokens, cpu_s)


def run(asks: list[Ask], environment: Mapping[str, str]) -> Alone:
    """The same requests on the engine alone. Raises BenchmarkError."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.engine_alone"],
        cwd=ROOT, env=dict(environment), input=msgspec.json.encode(asks), capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BenchmarkError(f"the engine alone failed: {done.stderr.decode(errors='replace')[-2000:]}")
    return msgspec.json.decode(done.stdout, type=Alone)


if __name__ == "__main__":
    asks = msgspec.json.decode(sys.stdin.buffer.read(), type=list[Ask])
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(drive(asks))))
