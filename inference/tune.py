"""Throughput search: the smallest concurrency with nearly all of an engine's throughput (`manage.py tune`).

More requests in a batch slow each of them down; beyond some number they bring no more tokens per second. K,
how many the dispatcher lets run, should be the smallest number that reaches `PLATEAU_SHARE` of the maximum.

The workload is a closed loop: at level n exactly n requests are in the engine, each replaced when it ends.
Levels rise until two in a row bring nothing; then the gap below the first good level is bisected.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import msgspec

from inference.engines.base import Engine, EngineDiedError, EngineError, EngineRequest, Step
from inference.request import ChatMessage, Sampling

PLATEAU_SHARE = 0.98
"""Two percent of throughput are a fair price for everybody's speed."""

FLAT_GAIN = 0.01
"""A gain below this over the best level before is noise."""

FINE_SHARE = 0.125
"""Precision of K: an eighth is not noticed, and noise is not far below."""

WARM_SHARE = 0.5
"""Warm-up as a part of the measured time, for the batch to fill and requests to get out of step."""

WORDS = ("river", "market", "winter", "engine", "garden", "letter", "harbour", "number")
"""Common words: one token each in most tokenizers."""


class TuneError(Exception):
    """The search failed; the message says why."""


class TuneWorkload(msgspec.Struct, frozen=True, kw_only=True):
    """Synthetic requests of about `prompt_tokens` and `answer_tokens`; each level is measured for
    `seconds`."""

    prompt_tokens: int = 200
    answer_tokens: int = 100
    seconds: float = 15.0
    seed: int = 7


class ConcurrencyLevel(msgspec.Struct, frozen=True):
    """Measured throughput and latency with `requests` at once."""

    requests: int
    tokens_per_s: float
    ttft_p50_s: float


def concurrency_levels(top: int) -> list[int]:
    """Levels to try, each 1.33 to 2 times the one before: 1 2 4 8 12 16 24 32 48 64 …, ending with `top`."""
    found = {1, 2, 4, 8, top}
    power = 8
    while power < top:
        found |= {power, power + power // 2}
        power *= 2
    return sorted(level for level in found if level <= top)


def is_flat(levels: Sequence[ConcurrencyLevel]) -> bool:
    """Whether the last two levels gained nothing over the best one before them."""
    if len(levels) < 3:
        return False
    best = max(level.tokens_per_s for level in levels[:-2])
    return all(level.tokens_per_s < best * (1 + FLAT_GAIN) for level in levels[-2:])


def smallest_at_plateau(levels: Sequence[ConcurrencyLevel]) -> ConcurrencyLevel:
    """The smallest level with PLATEAU_SHARE of the highest throughput."""
    threshold = PLATEAU_SHARE * max(level.tokens_per_s for level in levels)
    return min(
        (level for level in levels if level.tokens_per_s >= threshold), key=lambda level: level.requests
    )


def next_bisection(levels: Sequence[ConcurrencyLevel]) -> int | None:
    """The level in the middle of the gap below the plateau; None when the gap is small."""
    good = smallest_at_plateau(levels).requests
    below = max((level.requests for level in levels if level.requests < good), default=0)
    if below == 0 or good - below <= max(1, good * FINE_SHARE):
        return None
    return (good + below) // 2


async def tune(
    engine: Engine,
    workload: TuneWorkload,
    top: int,
    on_level: Callable[[ConcurrencyLevel], None] = lambda level: None,
) -> list[ConcurrencyLevel]:
    """Measure levels on this started engine and return them, smallest first. Raises TuneError.

    Nothing else may use the engine meanwhile. `on_level` is called with each level when it is done.
    """
    generator = _LoadGenerator(engine, workload)
    levels: list[ConcurrencyLevel] = []

    async def measure(requests: int) -> None:
        levels.append(await generator.measure(requests))
        on_level(levels[-1])

    try:
        for requests in concurrency_levels(top):
            await measure(requests)
            if is_flat(levels):
                break
        while (between := next_bisection(levels)) is not None:
            await measure(between)
    except EngineDiedError as error:
        raise TuneError(str(error)) from error
    finally:
        await generator.close()
    return sorted(levels, key=lambda level: level.requests)


class _LoadGenerator:
    """Closed-loop load generator: keeps `_wanted` requests in the engine and measures their output."""

    def __init__(self, engine: Engine, workload: TuneWorkload) -> None:
        self._engine = engine
        self._load = workload
        self._random = random.Random(workload.seed)  # noqa: S311 - reproducible, no secret
        self._wanted = 0
        self._number = 0
        self._added: dict[str, float] = {}
        self._begun: set[str] = set()
        self._ttfts: list[float] = []
        self._tokens = 0
        self._step_marks: list[tuple[float, int]] = []
        self._failure: str | None = None
        self._reader = asyncio.create_task(self._read(), name="tune-reader")

    async def measure(self, requests: int) -> ConcurrencyLevel:
        """Measure with this many requests: the rate between the first and the last step."""
        self._wanted = requests
        surplus = list(self._added)[requests:]
        await self._engine.abort(surplus)
        await self._top_up()
        await self._wait(self._load.seconds * WARM_SHARE)
        self._step_marks, self._ttfts = [], []
        await self._wait(self._load.seconds)
        if len(self._step_marks) < 2:
            raise TuneError(
                f"With {requests} requests the engine made fewer than two steps in {self._load.seconds:g} s. "
                "Measure for longer (--seconds)."
            )
        (start, before), (end, after) = self._step_marks[0], self._step_marks[-1]
        middle = sorted(self._ttfts)[len(self._ttfts) // 2] if self._ttfts else float("nan")
        return ConcurrencyLevel(requests, (after - before) / (end - start), middle)

    async def close(self) -> None:
        self._wanted = 0
        await self._engine.abort(list(self._added))
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _wait(self, seconds: float) -> None:
        """Wait, unless the engine fails."""
        await asyncio.wait([self._reader], timeout=seconds)
        if self._failure is not None or self._reader.done():
            raise TuneError(self._failure or "The engine ended its steps.")

    async def _read(self) -> None:
        try:
            async for step in self._engine.steps():
                self._account(step, asyncio.get_running_loop().time())
                await self._top_up()
        except EngineError as error:
            self._failure = str(error)

    def _account(self, step: Step, now: float) -> None:
        for output in step.outputs:
            self._tokens += output.new_tokens
            if output.new_tokens and output.id not in self._begun and output.id in self._added:
                self._begun.add(output.id)
                self._ttfts.append(now - self._added[output.id])
            if output.finish_reason is not None:
                self._added.pop(output.id, None)
                self._begun.discard(output.id)
            if output.finish_reason == "error":
                self._failure = output.error
        if any(output.new_tokens for output in step.outputs):
            self._step_marks.append((now, self._tokens))

    async def _top_up(self) -> None:
        while len(self._added) < self._wanted and self._failure is None:
            request = self._next()
            self._added[request.id] = asyncio.get_running_loop().time()
            await self._engine.add(request)

    def _next(self) -> EngineRequest:
        """A prompt that shares no prefix with others, so that no cache helps; lengths around the mean."""
        self._number += 1
        words = self._random.choices(WORDS, k=self._load.prompt_tokens)
        text = f"{self._number} {' '.join(words)} Tell a long story about all of this."
        length = round(self._load.answer_tokens * self._random.uniform(0.5, 1.5))
        return EngineRequest(
            id=f"tune-{self._number}",
            messages=(ChatMessage("user", text),),
            sampling=Sampling(temperature=0.7),
            max_tokens=max(1, length),
        )
