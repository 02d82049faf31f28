"""Reads an engine's steps as one owner would, and hands each request's outputs to whoever asked."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from itertools import pairwise
from typing import Any

from inference.engines.base import Engine, EngineFinish, EngineRequest, EngineStats, Output
from inference.request import ChatMessage, Sampling
from tests.support.waiting import PATIENCE_S


class Answer:
    """Everything one request got."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self.times: list[float] = []
        self.changed = asyncio.Event()

    @property
    def text(self) -> str:
        return "".join(output.text for output in self.outputs)

    @property
    def tokens(self) -> int:
        return sum(output.new_tokens for output in self.outputs)

    @property
    def finish(self) -> EngineFinish | None:
        return self.outputs[-1].finish_reason if self.outputs else None

    @property
    def error(self) -> str | None:
        return self.outputs[-1].error


class Answers:
    """One reader of `engine.steps()`; `death` is what the steps ended with, if anything."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.death: BaseException | None = None
        self.steps = 0
        self._answers: dict[str, Answer] = defaultdict(Answer)
        self._stepped = asyncio.Event()
        self._reader = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        try:
            async for step in self.engine.steps():
                self.steps += 1
                now = asyncio.get_running_loop().time()
                for output in step.outputs:
                    answer = self._answers[output.id]
                    answer.outputs.append(output)
                    answer.times.append(now)
                    answer.changed.set()
                self._stepped.set()
        except Exception as error:
            self.death = error

    async def ended(self) -> None:
        """Wait until the steps are over, by close or by death."""
        await asyncio.wait_for(asyncio.shield(self._reader), PATIENCE_S)

    async def add(
        self,
        id: str,
        text: str,
        max_tokens: int = 16,
        priority: int = 0,
        cache_salt: str = "",
        **sampling: object,
    ) -> None:
        await self.engine.add(
            EngineRequest(
                id=id,
                messages=(ChatMessage("user", text),),
                sampling=Sampling(**sampling),  # type: ignore[arg-type]
                max_tokens=max_tokens,
                priority=priority,
                cache_salt=cache_salt,
            )
        )

    async def ask(self, id: str, text: str, max_tokens: int = 16, **options: Any) -> Answer:
        """Add, and wait for the end."""
        await self.add(id, text, max_tokens, **options)
        return await self.end_of(id)

    async def end_of(self, id: str) -> Answer:
        answer = self._answers[id]
        async with asyncio.timeout(PATIENCE_S):
            while answer.finish is None:
                answer.changed.clear()
                await answer.changed.wait()
        return answer

    async def first_of(self, id: str) -> Answer:
        answer = self._answers[id]
        async with asyncio.timeout(PATIENCE_S):
            while not answer.outputs:
                answer.changed.clear()
                await answer.changed.wait()
        return answer

    async def longest_gap_s(self, id: str, outputs: int) -> float:
        """The longest time between two of the next outputs of a running request."""
        answer = self._answers[id]
        start = len(answer.times)
        async with asyncio.timeout(PATIENCE_S):
            while len(answer.times) < start + outputs:
                answer.changed.clear()
                await answer.changed.wait()
        times = answer.times[max(start - 1, 0) :]
        return max(later - earlier for earlier, later in pairwise(times))

    async def stats_where(self, wanted: str) -> EngineStats:
        """The first counters whose running + waiting is `wanted` ("none" or "some")."""
        async with asyncio.timeout(PATIENCE_S):
            while bool((stats := self.engine.stats()).running + stats.waiting) != (wanted == "some"):
                self._stepped.clear()
                await self._stepped.wait()
        return stats
