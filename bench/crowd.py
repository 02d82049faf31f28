"""A load in real time on a dispatcher: the simulation's own loads, asked of a real engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from bench.sides import LentEngine, dispatcher_on
from inference.dispatch.store import Outcome
from inference.engines.base import Engine, EngineInfo
from inference.request import ChatMessage, Request, Sampling
from inference.scheduling.policy import Policy
from inference.scheduling.request_queue import QueueFactory
from tests.support.scenarios import figures, forecast_error
from tests.support.simulation import POSITIONS_INTERVAL_S, Load, Trace
from tests.support.workload import Ask, prose

DRAIN_S = 240.0
"""How long the last questions may take: a first-come queue of a hundred on two cores is two minutes."""


@dataclass(frozen=True)
class Run:
    """What a crowd met between its warm-up and its end: `traces` of whoever asked then, and the tokens that
    the engine computed then. `queue` is its length over time, from the start."""

    span_s: float
    output_tokens: int
    prompt_tokens: int
    traces: list[Trace]
    queue: list[tuple[float, int]]


def figures_of(runs: Sequence[Run]) -> dict[str, Any]:
    """The simulation's figures, of the runs of one side taken together; the queue is the first run's."""
    span = sum(run.span_s for run in runs)
    output = sum(run.output_tokens for run in runs)
    traces = [trace for run in runs for trace in run.traces]
    return {
        "tokens_per_s": (output + sum(run.prompt_tokens for run in runs)) / span,
        "tokens_per_s_of_runs": [(run.output_tokens + run.prompt_tokens) / run.span_s for run in runs],
        "output_tokens_per_s": output / span,
        **figures(traces),
        "queue": runs[0].queue,
        "forecast": forecast_error(traces),
    }


@dataclass
class Crowd:
    """People on one dispatcher. Times in traces are seconds since the start."""

    policy: Policy
    order: QueueFactory
    engine: Engine
    info: EngineInfo
    until_s: float
    opening: str = ""
    """In front of every question: what no other crowd on the same engine began with, or the engine's
    prefix cache does the work of the second for it."""
    traces: list[Trace] = field(default_factory=list)
    queue: list[tuple[float, int]] = field(default_factory=list)
    _waiting: dict[str, tuple[Trace, asyncio.Future[Outcome]]] = field(default_factory=dict)

    async def run(self, loads: Iterable[Load], warm_up_s: float) -> Run:
        """Ask until `until_s`, and wait for what was asked."""
        lent = LentEngine(self.engine, self.info)
        self._dispatcher, self._scheduler = dispatcher_on(
            lent, self.info, self.policy, self.order, self._ended
        )
        running = asyncio.create_task(self._dispatcher.run())
        self._zero = monotonic()
        looking = asyncio.create_task(self._look())
        people = [asyncio.create_task(self._life(load, ask)) for load in loads for ask in load.begin()]
        _, late = await asyncio.wait(people, timeout=self.until_s + DRAIN_S)
        for task in late:
            task.cancel()
        looking.cancel()
        for task in people:
            if task.done() and not task.cancelled():
                task.result()
        await self._dispatcher.drain(0.0)
        await running
        await lent.close()
        return self._run(lent, warm_up_s)

    async def _life(self, load: Load, ask: Ask | None) -> None:
        """One person: ask, read, think, ask again, until the time is over."""
        while ask is not None and ask.at_s < self.until_s:
            await asyncio.sleep(max(0.0, self._zero + ask.at_s - monotonic()))
            trace = Trace(ask=ask, asked_s=monotonic() - self._zero)
            self.traces.append(trace)
            outcome = await self._ask(trace, ask)
            if outcome.usage.queue_s is not None:
                trace.started_s = trace.asked_s + outcome.usage.queue_s
            if outcome.usage.ttft_s is not None:
                trace.first_s = trace.asked_s + outcome.usage.ttft_s
            trace.ended_s = monotonic() - self._zero
            trace.outcome = "stop" if outcome.status == "finished" else f"timeout: {outcome.message}"
            ask = next(iter(load.after(trace, trace.ended_s)), None)

    async def _ask(self, trace: Trace, ask: Ask) -> Outcome:
        name = f"{ask.user}/{ask.number}"
        ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[name] = (trace, ended)
        text = self.opening + prose(ask.language, ask.chars, ask.seed)
        message = ChatMessage("user", text[: ask.chars])
        self._dispatcher.lifecycle.enqueue(
            Request(
                generation=name,
                attempt=1,
                user=ask.user,
                conversation=name,
                messages=(message,),
                sampling=Sampling(temperature=ask.temperature, seed=ask.seed),
                prompt_tokens=ask.prompt_tokens,
                max_tokens=ask.output_tokens,
                new_chars=ask.new_chars,
            )
        )
        try:
            return await ended
        finally:
            self._waiting.pop(name, None)

    def _ended(self, outcome: Outcome) -> None:
        trace, ended = self._waiting.get(outcome.generation, (None, None))
        if trace is not None and ended is not None and not ended.done():
            trace.kind = outcome.request_class
            trace.produced = outcome.usage.completion_tokens
            ended.set_result(outcome)

    async def _look(self) -> None:
        """Record the queue's length and the estimates, as the dispatcher publishes them."""
        while True:
            now = monotonic()
            positions = self._scheduler.positions(now)
            self.queue.append((now - self._zero, len(positions)))
            for position in positions:
                if position.eta_s is not None and position.generation in self._waiting:
                    self._waiting[position.generation][0].forecasts.append((now - self._zero, position.eta_s))
            await asyncio.sleep(POSITIONS_INTERVAL_S)

    def _run(self, lent: LentEngine, warm_up_s: float) -> Run:
        made = [
            (new, prompts) for at, new, prompts in lent.made if warm_up_s <= at - self._zero < self.until_s
        ]
        return Run(
            span_s=self.until_s - warm_up_s,
            output_tokens=sum(new for new, _ in made),
            prompt_tokens=sum(prompts for _, prompts in made),
            traces=[trace for trace in self.traces if trace.asked_s >= warm_up_s],
            queue=self.queue,
        )
