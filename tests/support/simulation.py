"""The scheduler on a virtual clock: the emulated engine's timing model, driven by a load.

Time advances from engine step to engine step; while nothing is being prefilled, many equal steps are
taken at once up to the next arrival or the next answer's end, so an hour takes a second or two. The
scheduler under test is the real one. Everything returned is plain data. All times are virtual seconds.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from inference.engines.emulated.timing import Timing
from inference.request import Request, RequestClass, Sampling
from inference.scheduling.scheduler import QueueFullError, Scheduler
from tests.support.workload import Ask

POSITIONS_INTERVAL_S = 2.0
"""Interval at which positions are computed and deadlines checked, as in the dispatcher."""


@dataclass
class Trace:
    """What happened to one request."""

    ask: Ask
    asked_s: float
    kind: RequestClass | None = None
    started_s: float | None = None
    first_s: float | None = None
    ended_s: float | None = None
    outcome: str = "running"
    forecasts: list[tuple[float, float]] = field(default_factory=list)
    prefill_left: int = 0
    produced: int = 0

    @property
    def ttft_s(self) -> float | None:
        return None if self.first_s is None else self.first_s - self.asked_s

    @property
    def whole_s(self) -> float | None:
        return None if self.ended_s is None else self.ended_s - self.asked_s


class Load(Protocol):
    """Who asks what, when."""

    def begin(self) -> Iterable[Ask]:
        """The requests known from the start, with their `at_s`."""

    def after(self, trace: Trace, now: float) -> Iterable[Ask]:
        """What the same person asks next, with its `at_s`."""


class Simulation:
    """One scheduler, one engine model, one load."""

    def __init__(self, scheduler: Scheduler, engine: Timing, loads: Iterable[Load]) -> None:
        self.traces: list[Trace] = []
        self.queue_lengths: list[tuple[float, int]] = []
        self.output_tokens: list[tuple[float, int]] = []
        self._scheduler = scheduler
        self._engine = engine
        self._now = 0.0
        self._numbers = itertools.count()
        self._arrivals: list[tuple[float, int, Ask, Load]] = []
        self._live: dict[str, tuple[Trace, Load]] = {}
        self._prefilling: dict[str, Trace] = {}
        self._decoding: dict[str, Trace] = {}
        self._context = 0
        self._positions_at = 0.0
        for load in loads:
            self._expect(load.begin(), load)

    def run(self, until_s: float) -> list[Trace]:
        """Everything that was asked before `until_s`, followed no further than that."""
        while self._now < until_s:
            self._look()
            self._admit()
            if not self._prefilling and not self._decoding:
                if not self._arrivals:
                    break
                self._now = max(self._now, min(self._arrivals[0][0], until_s))
            elif self._prefilling:
                self._step()
            else:
                self._leap(until_s)
        return self.traces

    def _admit(self) -> None:
        while self._arrivals and self._arrivals[0][0] <= self._now:
            at, number, ask, load = heapq.heappop(self._arrivals)
            trace = Trace(ask=ask, asked_s=at, prefill_left=ask.prompt_tokens - ask.cached_tokens)
            self.traces.append(trace)
            name = str(number)
            try:
                trace.kind = self._scheduler.add(_request(name, ask), at)
                self._live[name] = (trace, load)
            except QueueFullError as refusal:
                trace.outcome = "refused"
                self._expect(load.after(trace, self._now + refusal.retry_after_s), load)
        while (request := self._scheduler.schedule_next(self._now)) is not None:
            trace, _ = self._live[request.generation]
            trace.started_s = self._now
            self._prefilling[request.generation] = trace

    def _look(self) -> None:
        if self._now - self._positions_at < POSITIONS_INTERVAL_S:
            return
        self._positions_at = self._now
        positions = self._scheduler.positions(self._now)
        self.queue_lengths.append((self._now, len(positions)))
        for position in positions:
            if position.eta_s is not None:
                self._live[position.generation][0].forecasts.append((self._now, position.eta_s))
        for generation, reason in self._scheduler.expired(self._now):
            self._end(generation, f"timeout: {reason}")

    def _step(self) -> None:
        """One step with prefill chunks, oldest first, and one token for every other stream."""
        budget = self._engine.step_budget - len(self._decoding)
        chunks: list[tuple[str, Trace, int]] = []
        for name, trace in self._prefilling.items():
            chunk = self._engine.chunk(trace.prefill_left, budget)
            if chunk <= 0:
                break
            budget -= chunk
            chunks.append((name, trace, chunk))
        used = sum(chunk for _, _, chunk in chunks)
        self._now += self._engine.duration_s(used, len(self._decoding), self._context)
        self._decode(1)
        for name, trace, chunk in chunks:
            trace.prefill_left -= chunk
            if trace.prefill_left == 0:
                self._first_token(name, trace)

    def _leap(self, until_s: float) -> None:
        """As many decode steps as pass before anything else can happen."""
        steps = min(trace.ask.output_tokens - trace.produced for trace in self._decoding.values())
        streams = len(self._decoding)
        step_s = self._engine.duration_s(0, streams, self._context + streams * steps // 2)
        horizon = min(until_s, self._positions_at + POSITIONS_INTERVAL_S)
        if self._arrivals:
            horizon = min(horizon, self._arrivals[0][0])
        steps = max(1, min(steps, int((horizon - self._now) / step_s) + 1))
        self._now += steps * step_s
        self._decode(steps)

    def _decode(self, steps: int) -> None:
        done = []
        for name, trace in self._decoding.items():
            trace.produced += steps
            self._scheduler.produced(name, steps, self._now)
            if trace.produced >= trace.ask.output_tokens:
                done.append(name)
        count = steps * len(self._decoding)
        self._context += count
        if count:
            self.output_tokens.append((self._now, count))
        for name in done:
            self._end(name, "stop")

    def _first_token(self, name: str, trace: Trace) -> None:
        del self._prefilling[name]
        self._decoding[name] = trace
        self._context += trace.ask.prompt_tokens + 1
        trace.first_s = self._now
        trace.produced = 1
        self.output_tokens.append((self._now, 1))
        self._scheduler.prefilled(name, trace.ask.prompt_tokens, trace.ask.cached_tokens)
        self._scheduler.produced(name, 1, self._now)
        if trace.ask.output_tokens <= 1:
            self._end(name, "stop")

    def _end(self, name: str, outcome: str) -> None:
        trace, load = self._live.pop(name)
        self._prefilling.pop(name, None)
        if self._decoding.pop(name, None) is not None:
            self._context -= trace.ask.prompt_tokens + trace.produced
        self._scheduler.finish(name, self._now, complete=outcome == "stop")
        trace.outcome = outcome
        trace.ended_s = self._now
        self._expect(load.after(trace, self._now), load)

    def _expect(self, asks: Iterable[Ask], load: Load) -> None:
        for ask in asks:
            heapq.heappush(self._arrivals, (ask.at_s, next(self._numbers), ask, load))


def _request(name: str, ask: Ask) -> Request:
    return Request(
        generation=name,
        attempt=1,
        user=ask.user,
        conversation=ask.conversation or name,
        messages=(),
        sampling=Sampling(temperature=ask.temperature),
        prompt_tokens=ask.prompt_tokens,
        max_tokens=2 * ask.output_tokens + 64,
        new_chars=ask.new_chars,
    )
