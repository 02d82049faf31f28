"""The timing model against the real engine: measured steps of vLLM here, and what the model says of them.

Half of the points fit the model's four constants by least squares of relative errors; the other half was
not seen by the fit, and its error is the model's. The engine is driven alone, without site and policy.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy

from bench import real_engine
from bench.results import Result
from inference.engines.base import EngineRequest, Step
from inference.engines.emulated.timing import PRESETS, Timing
from inference.engines.vllm.engine import VllmEngine
from inference.request import ChatMessage, Sampling
from tests.support.stats import percentile
from tests.support.workload import CHARS_PER_TOKEN, prose

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STREAMS = (1, 2, 4, 8, 16, 24, 32)
PROMPTS = (64, 128, 256, 512, 1024)
CONTEXTS = ((8, 1000), (16, 500))
MIXED = ((8, 512), (16, 256))
DECODE_STEPS = 16
QUIET = 25
"""Percentile of step times that is taken, and the best round: other work on the machine only ever adds."""

ROUNDS, FULL_ROUNDS = 3, 8


@dataclass(frozen=True)
class Point:
    """`steps` steps that computed `prefilled` prompt tokens in all, each with `decoding` streams that
    attended to `context` tokens together; measured seconds of them all."""

    name: str
    steps: int
    decoding: int
    context: int
    prefilled: int
    measured_s: float
    fitted: bool

    def predicted_s(self, timing: Timing) -> float:
        each = timing.duration_s(0, self.decoding, self.context)
        return self.steps * each + self.prefilled / timing.prefill_tokens_per_s

    def error(self, timing: Timing) -> float:
        """Relative: 0.1 is ten percent too long."""
        return self.predicted_s(timing) / self.measured_s - 1


class Probe:
    """Hands requests to the engine and times its steps."""

    def __init__(self, engine: VllmEngine) -> None:
        self._engine = engine
        self._live: set[str] = set()
        self._steps = self._watched()
        self._number = 0

    async def _watched(self) -> AsyncIterator[Step]:
        """The engine's steps; who has ended is known before anybody looks."""
        async for step in self._engine.steps():
            self._live -= {output.id for output in step.outputs if output.finish_reason}
            yield step

    async def _add(self, prompt_tokens: int, max_tokens: int) -> str:
        self._number += 1
        # Twelve tokens or so are the template's and the number's that keeps the prefix cache from helping.
        chars = max(8, round((prompt_tokens - 44) * CHARS_PER_TOKEN["en"]))
        message = ChatMessage("user", prose("en", chars, 7919 * self._number))
        request = EngineRequest(
            id=str(self._number),
            messages=(message,),
            sampling=Sampling(temperature=0.7),
            max_tokens=max_tokens,
        )
        self._live.add(request.id)
        await self._engine.add(request)
        return request.id

    async def decode(self, streams: int, prompt_tokens: int) -> tuple[float, int, int]:
        """Seconds of a step, lower quartile, in which about so many streams decode and no prompt is computed.

        Also how many decoded, and the context that they had together. Answers end when they like, so
        newcomers fill up below nine tenths, and the steps with their prompts are left out.
        """
        sizes: dict[str, int] = {}
        seen: list[tuple[float, int, int]] = []
        before: float | None = None
        while len(seen) < DECODE_STEPS:
            if len(self._live) < max(1, round(0.9 * streams)):
                for _ in range(streams - len(self._live)):
                    await self._add(prompt_tokens, 10 * DECODE_STEPS)
            step = await anext(self._steps)
            now = perf_counter()
            newcomers = [output for output in step.outputs if output.prompt_tokens is not None]
            sizes |= {output.id: output.prompt_tokens or 0 for output in newcomers}
            making = sum(output.new_tokens == 1 for output in step.outputs)
            undisturbed = not newcomers and self._live <= sizes.keys()
            if before is not None and undisturbed:
                context = sum(sizes[id] for id in self._live) + making * DECODE_STEPS // 2
                seen.append((now - before, making, context))
            before = now if self._live <= sizes.keys() else None
        await self._end()
        took, streams_seen, contexts = zip(*seen, strict=True)
        return percentile(took, QUIET), round(fmean(streams_seen)), round(fmean(contexts))

    async def prefill(self, tokens: int) -> tuple[float, int]:
        """Seconds from handing over to the first token, and the prompt's real size."""
        added = perf_counter()
        await self._add(tokens, 1)
        size = tokens
        async for step in self._steps:
            for output in step.outputs:
                size = output.prompt_tokens or size
                if output.finish_reason:
                    return perf_counter() - added, size
        raise AssertionError("the engine ended")

    async def mixed(self, streams: int, tokens: int) -> tuple[float, int, int]:
        """Seconds that a prompt's prefill took beside streams that decode; its size; their context."""
        waiting = {await self._add(64, 400) for _ in range(streams)}
        async for step in self._steps:
            waiting -= {output.id for output in step.outputs}
            if not waiting:
                break
        added = perf_counter()
        newcomer = await self._add(tokens, 1)
        size = tokens
        async for step in self._steps:
            news = next((output for output in step.outputs if output.id == newcomer), None)
            if news is not None:
                size = news.prompt_tokens or size
                break
        took = perf_counter() - added
        await self._end()
        return took, size, streams * 90

    async def _end(self) -> None:
        await self._engine.abort(list(self._live))
        while self._live:
            await anext(self._steps)


async def measure(rounds: int) -> tuple[list[Point], int]:
    """Every point, the best of its rounds; and the engine's step budget."""
    budget = real_engine.settings().max_num_batched_tokens
    async with real_engine.vllm() as (engine, _info):
        probe = Probe(engine)
        await probe.prefill(64)
        points = []
        for n, streams in enumerate(STREAMS):
            runs = [await probe.decode(streams, 64) for _ in range(rounds)]
            points.append(decoding(f"{streams} streams", runs, n % 2 == 0))
        for n, (streams, tokens) in enumerate(CONTEXTS):
            runs = [await probe.decode(streams, tokens) for _ in range(rounds)]
            name = f"{streams} streams, {tokens} tokens each"
            points.append(decoding(name, runs, n % 2 == 0))
        for n, tokens in enumerate(PROMPTS):
            found = [await probe.prefill(tokens) for _ in range(rounds)]
            size = found[0][1]
            points.append(
                Point(
                    f"prompt of {size}", math.ceil(size / budget), 0, 0, size, min(r[0] for r in found),
                    n % 2 == 1,
                )
            )  # fmt: skip
        for streams, tokens in MIXED:
            beside = [await probe.mixed(streams, tokens) for _ in range(rounds)]
            size, context = beside[0][1:]
            # A newcomer waits half of the step under way.
            steps = math.ceil(size / (budget - streams))
            took = min(run[0] for run in beside)
            name = f"prompt of {size} beside {streams} streams"
            points.append(Point(name, steps, streams, context, size, took, False))
    return points, budget


def decoding(name: str, runs: Sequence[tuple[float, int, int]], fitted: bool) -> Point:
    """Rounds of decode steps as one point."""
    took = min(one[0] for one in runs)
    streams, context = median(one[1] for one in runs), median(one[2] for one in runs)
    print(f"  {name}: {took * 1000:.0f} ms", file=sys.stderr, flush=True)
    return Point(name, 1, round(streams), round(context), 0, took, fitted)


def fit(points: Sequence[Point], like: Timing, budget: int) -> Timing:
    """The constants that make the relative errors of the fitted points smallest; none is negative."""
    chosen = [point for point in points if point.fitted]
    rows = numpy.array(
        [[p.steps, p.steps * p.decoding, p.steps * p.context, p.prefilled] for p in chosen], dtype=float
    )
    took = numpy.array([point.measured_s for point in chosen])
    active = [0, 1, 2, 3]
    while True:
        found, *_ = numpy.linalg.lstsq(rows[:, active] / took[:, None], numpy.ones(len(chosen)), rcond=None)
        if found.min() >= 0:
            break
        del active[int(found.argmin())]
    constants = numpy.zeros(4)
    constants[active] = found
    step_s, seq_s, context_s, token_s = map(float, constants)
    return Timing(
        step_s=step_s, seq_s=seq_s, context_token_s=context_s, prefill_tokens_per_s=1 / token_s,
        step_budget=budget, max_running=like.max_running, kv_tokens=like.kv_tokens,
    )  # fmt: skip


def run(full: bool) -> Result:
    """Short: one round of every point; full: 8."""
    shipped = PRESETS["embedded-cpu"]
    points, budget = asyncio.run(measure(FULL_ROUNDS if full else ROUNDS))
    timing = fit(points, shipped, budget)
    held = [abs(point.error(timing)) for point in points if not point.fitted]
    return Result(
        name="calibrate",
        engine="vllm, and the timing model of the emulated engine",
        full=full,
        settings={"model": "SmolLM2-135M-Instruct", "step_budget": budget, "decode_steps": DECODE_STEPS},
        summary={
            "error_fitted_median": median(abs(p.error(timing)) for p in points if p.fitted),
            "error_unseen_median": median(held),
            "error_unseen_max": max(held),
            "error_shipped_median": median(abs(point.error(shipped)) for point in points),
            "step_s": timing.step_s,
            "seq_s": timing.seq_s,
            "context_token_s": timing.context_token_s,
            "prefill_tokens_per_s": timing.prefill_tokens_per_s,
        },
        columns=(
            "steps measured",
            "measured ms",
            "model ms",
            "error %",
            "shipped preset, error %",
            "in the fit",
        ),
        rows=[row(point, timing, shipped) for point in points],
        samples={"points": [vars(point) for point in points]},
        notes=[
            "The model's constants come from the points marked in the fit; the error counts on the others.",
            "error_shipped_median: of the preset embedded-cpu as committed, on all points of this run.",
        ],
        plot=lambda figure: plot(figure, points, timing),
    )


def row(point: Point, timing: Timing, shipped: Timing) -> list[Any]:
    return [
        point.name,
        point.measured_s * 1000,
        point.predicted_s(timing) * 1000,
        point.error(timing) * 100,
        point.error(shipped) * 100,
        "yes" if point.fitted else "",
    ]


def plot(figure: Figure, points: Sequence[Point], timing: Timing) -> None:
    """Model against measurement; the diagonal is agreement."""
    axes = figure.subplots()
    for fitted, marker in ((True, "o"), (False, "x")):
        some = [point for point in points if point.fitted == fitted]
        axes.loglog(
            [point.measured_s * 1000 for point in some],
            [point.predicted_s(timing) * 1000 for point in some],
            marker,
            label="in the fit" if fitted else "unseen",
        )
    low, high = axes.get_xlim()
    axes.plot([low, high], [low, high], ":", color="grey")
    axes.set_xlabel("measured, ms")
    axes.set_ylabel("model, ms")
    axes.legend()
