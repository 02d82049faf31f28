"""Real vLLM stopped by a signal is found and replaced; starved of processor time it is left to work."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest

from inference.dispatch.supervisor import EngineLost, EngineReady, Supervisor, SupervisorSettings
from inference.engines.base import EngineRequest, Step
from inference.engines.vllm.engine import VllmEngine
from inference.engines.vllm.settings import read_settings
from inference.request import ChatMessage, Sampling
from tests.inference.processes import group_members
from tests.support.real_site import MODELS_DIR, SMALL
from tests.support.waiting import until

GRACE_S = 2.0
"""Shorter than in service, so that waiting for it is bearable: this model's steps take 0.03 s."""

pytestmark = [pytest.mark.real_engine, pytest.mark.proof]


class Watched:
    """A supervisor over real engines, and what it says."""

    def __init__(self) -> None:
        self.engines: list[VllmEngine] = []
        self.news: list[Step | EngineReady | EngineLost] = []
        self.step_times: list[float] = []
        self.supervisor = Supervisor(self._build, SupervisorSettings(hung_after_s=GRACE_S))

    def _build(self) -> VllmEngine:
        self.engines.append(VllmEngine(read_settings(SMALL, MODELS_DIR), os.environ))
        return self.engines[-1]

    async def read(self) -> None:
        async for news in self.supervisor.events():
            self.news.append(news)
            if isinstance(news, Step):
                self.step_times.append(time.monotonic())

    async def until(self, kind: type, *, more_than: int = 0) -> None:
        await until(lambda: sum(isinstance(news, kind) for news in self.news) > more_than)

    async def ask(self, id: str) -> None:
        """Something to do for minutes, and the first step of it."""
        steps = len(self.step_times)
        sampling = Sampling(ignore_eos=True, temperature=0)
        turn = ChatMessage("user", "Count.")
        await self.supervisor.add(EngineRequest(id=id, messages=(turn,), sampling=sampling, max_tokens=5_000))
        await self.until(Step, more_than=steps)

    def pid_of(self, part: str) -> int:
        host = self.engines[-1].pid
        assert host is not None
        if part == "host":
            return host
        (core,) = [member.pid for member in group_members(host) if "EngineCore" in member.command]
        return core


@asynccontextmanager
async def watched() -> AsyncIterator[Watched]:
    watched = Watched()
    reading = asyncio.create_task(watched.read())
    try:
        await watched.until(EngineReady)
        yield watched
    finally:
        await watched.supervisor.close()
        await reading


@contextmanager
def all_processors_taken() -> Iterator[None]:
    """Three that compute for each processor, each with a share of its own."""
    spin = [sys.executable, "-c", "while True: pass"]
    count = 3 * (os.cpu_count() or 1)
    children = [subprocess.Popen(spin, start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()


def last_in_line(pid: int) -> None:
    """Have this process compute only when nobody else wants to: a share below a hundredth while others do."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setscheduler(int(thread.name), os.SCHED_IDLE, os.sched_param(0))
    # Where sessions share the processors first (sched(7)), it is the session's share that counts.
    if (group := Path(f"/proc/{pid}/autogroup")).exists():
        group.write_text("19")


def first_in_line(pid: int) -> None:
    """As good as before; where that is not allowed, nobody competes any more."""
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text("0")


async def test_a_starved_engine_works_on_and_a_stopped_one_is_replaced() -> None:
    async with watched() as engine:
        await engine.ask("starved")
        last_in_line(engine.pid_of("core"))
        with all_processors_taken():
            await asyncio.sleep(5 * GRACE_S)
        first_in_line(engine.pid_of("core"))
        await engine.until(Step, more_than=len(engine.step_times))
        gaps = [later - before for before, later in pairwise(engine.step_times)]
        assert max(gaps) > GRACE_S, "It was not starved, so nothing was shown."
        assert not any(isinstance(news, EngineLost) for news in engine.news)

        for number, part in enumerate(("core", "host"), 1):
            await engine.ask(f"stopped {part}")
            os.kill(engine.pid_of(part), signal.SIGSTOP)
            await engine.until(EngineLost, more_than=number - 1)
            lost = [news for news in engine.news if isinstance(news, EngineLost)][-1]
            assert "did not step" in lost.reason
            await engine.until(EngineReady, more_than=number)
