"""Scheduling sides on one running engine: scheduler and dispatcher are built anew, the engine is lent.

The web tier is left out, so that the sides share everything but the order. Rows are a dict in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from time import monotonic
from typing import ClassVar, Literal

from inference.dispatch.dispatcher import Dispatcher, DispatcherSettings
from inference.dispatch.store import Answer, Claim, Outcome
from inference.dispatch.supervisor import Supervisor
from inference.engines.base import Engine, EngineInfo, EngineRequest, EngineStats, Progress, Step
from inference.request import ChatMessage
from inference.scheduling.policy import Policy
from inference.scheduling.request_queue import QueueFactory
from inference.scheduling.scheduler import Scheduler
from inference.stream_log.memory import MemoryStreamLog


class LentEngine(Engine):
    """A running engine for one borrower at a time: closing gives it back, and does not end it."""

    kind: ClassVar[Literal["vllm", "remote", "emulated"]] = "vllm"

    def __init__(self, engine: Engine, info: EngineInfo) -> None:
        self._engine = engine
        self._info = info
        self._news: asyncio.Queue[Step | None] = asyncio.Queue()
        self._pump: asyncio.Task[None] | None = None
        self.made: list[tuple[float, int, int]] = []
        """(monotonic s, new tokens, prompt tokens computed) of every step."""

    async def start(self, progress: Progress) -> EngineInfo:
        self._pump = asyncio.create_task(self._read(), name="lent-engine")
        return self._info

    async def _read(self) -> None:
        async for step in self._engine.steps():
            new = sum(output.new_tokens for output in step.outputs)
            prompts = sum(
                (o.prompt_tokens or 0) - (o.cached_tokens or 0) for o in step.outputs if o.prompt_tokens
            )
            self.made.append((monotonic(), new, prompts))
            self._news.put_nowait(step)

    async def add(self, request: EngineRequest) -> None:
        await self._engine.add(request)

    async def abort(self, ids: Sequence[str]) -> None:
        await self._engine.abort(ids)

    async def steps(self) -> AsyncIterator[Step]:
        while (step := await self._news.get()) is not None:
            yield step

    async def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        return await self._engine.count_tokens(messages)

    def stats(self) -> EngineStats:
        return self._engine.stats()

    async def close(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait([self._pump])
            self._pump = None
            self._news.put_nowait(None)


class MemoryStore:
    """Rows that are always granted; whoever waits for an outcome is told."""

    def __init__(self, ended: Callable[[Outcome], None]) -> None:
        self._ended = ended

    async def claim(self, claims: Sequence[Claim]) -> set[str]:
        return {claim.generation for claim in claims}

    async def checkpoint(self, answers: Sequence[Answer]) -> None:
        """Nothing outlives a benchmark."""

    async def finish(self, outcomes: Sequence[Outcome]) -> dict[str, Outcome]:
        for outcome in outcomes:
            self._ended(outcome)
        return {outcome.generation: outcome for outcome in outcomes}


def dispatcher_on(
    engine: LentEngine,
    info: EngineInfo,
    policy: Policy,
    order: QueueFactory,
    ended: Callable[[Outcome], None],
) -> tuple[Dispatcher, Scheduler]:
    """The site's own dispatcher, with this policy and order."""
    scheduler = Scheduler(policy, info.kv_tokens, order)
    dispatcher = Dispatcher(
        scheduler,
        Supervisor(lambda: engine),
        MemoryStreamLog(expiry_s=1.0),
        MemoryStore(ended),
        DispatcherSettings(epoch=1),
    )
    return dispatcher, scheduler
