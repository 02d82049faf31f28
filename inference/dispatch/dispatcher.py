"""The dispatcher: one cycle that joins queue, engine, log and rows.

    account the steps → expire deadlines → schedule → publish positions → abort

Arrivals and cancels go to the `lifecycle` when they come, between two turns of the same event loop.
Nothing in a turn waits for the database or the log: claims, checkpoints, outcomes and appends have tasks of
their own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

import msgspec

from inference.dispatch.gate import Gate, Pause
from inference.dispatch.lifecycle import Lifecycle
from inference.dispatch.publisher import Positions, Publisher
from inference.dispatch.store import Store
from inference.dispatch.supervisor import EngineLost, EngineReady, Supervisor
from inference.engines.base import Step
from inference.reasoning import Reasoning
from inference.scheduling.circuit_breaker import CircuitBreaker
from inference.scheduling.scheduler import Scheduler
from inference.status import InferenceStatus
from inference.stream_log.base import FencedError, StreamLog

log = logging.getLogger(__name__)

DRAIN_POLL_S = 0.05
"""How soon a drain notices that the last answer ended: short beside any grace period."""

FLUSH_S = 5.0
"""For the ends of drained answers to be written: milliseconds, unless the database or the log is away."""


THROUGHPUT_WINDOW_S = 5.0
"""Long enough that single steps do not make the figure jump, short enough to follow the load."""


class DispatcherSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`epoch` is the owner's fencing number, `max_starts` how often one generation may be given to an engine.

    `reasoning`: how reasoning is separated from the answer.
    `tick_s`: a turn comes at least this often, for deadlines and positions while nothing else happens.
    """

    epoch: int
    max_starts: int = 2
    tick_s: float = 0.25
    reasoning: Reasoning = "auto"


class Dispatcher:
    """Runs the cycle. `clock` is monotonic seconds.

    The worker gives requests to `lifecycle`, awaits `run` and ends it with `drain`.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        supervisor: Supervisor,
        stream_log: StreamLog,
        store: Store,
        settings: DispatcherSettings,
        clock: Callable[[], float] = time.monotonic,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self._scheduler = scheduler
        self._supervisor = supervisor
        self._tick_s = settings.tick_s
        self._clock = clock
        self._events: list[Step | EngineReady | EngineLost] = []
        self._stopped = False
        self._gate = Gate(scheduler, supervisor, breaker or CircuitBreaker())
        self._gate.update(clock())
        self._positions = Positions()
        self._throughput = Throughput()
        self._publisher = Publisher(stream_log, settings.epoch, clock)
        self.lifecycle = Lifecycle(
            scheduler=scheduler,
            supervisor=supervisor,
            store=store,
            publisher=self._publisher,
            gate=self._gate,
            max_starts=settings.max_starts,
            reasoning=settings.reasoning,
            clock=clock,
        )

    def pause(self, why: Pause = "paused") -> None:
        """Start nothing new; what runs goes on. Queue time stands still. `why` is the state reported."""
        self._gate.pause(why, self._clock())

    def resume(self) -> None:
        """Start again after a pause, whatever its reason."""
        self._gate.resume(self._clock())
        self.lifecycle.changed.set()

    def status(self) -> InferenceStatus:
        """A snapshot for the web tier and the metrics."""
        now, load, supervisor = self._clock(), self._scheduler.load(), self._supervisor
        return InferenceStatus(
            at=time.time(),
            state=self._gate.state(now),
            detail=supervisor.detail,
            progress=supervisor.progress,
            info=supervisor.info,
            stats=supervisor.stats(),
            waiting=dict(load.waiting),
            running=dict(load.running),
            tokens_per_s=self._throughput.per_s(now),
            retry_after_s=self._scheduler.retry_after_s(now),
            refused_for_s=self._gate.refused_for_s(now),
        )

    async def run(self) -> None:
        """Until drained; the engine is closed then. Raises FencedError when a younger owner exists."""
        try:
            async with asyncio.TaskGroup() as group:
                parts = (self._read_engine(), self.lifecycle.run())
                tasks = [group.create_task(part) for part in parts]
                while not self._stopped:
                    await self._turn()
                    await self._next_turn()
                for task in tasks:
                    task.cancel()
        except ExceptionGroup as failures:
            if failures.subgroup(FencedError):
                raise FencedError("A younger owner writes now; this one stops.") from failures
            raise

    async def drain(self, grace_s: float) -> None:
        """Start nothing new, give the running `grace_s`, keep the rest as interrupted; then run() returns.

        Waiting generations stay queued in their rows, for the next owner. What a database or log that is away
        does not take in `FLUSH_S` is left to that owner's recovery.
        """
        self._gate.end(self._clock())
        due = self._clock() + grace_s
        while self.lifecycle.busy and self._clock() < due:  # noqa: ASYNC110 - bounded by the grace
            await asyncio.sleep(min(DRAIN_POLL_S, grace_s))
        self.lifecycle.interrupt()
        try:
            async with asyncio.timeout(FLUSH_S):
                await self.lifecycle.flushed()
        except TimeoutError:
            log.error("Not every end could be written; the next process recovers them.")
        self._stopped = True
        self.lifecycle.changed.set()

    async def _turn(self) -> None:
        now = self._clock()
        self._account(now)
        self._expire(now)
        self._schedule(now)
        self._publish_positions(now)
        await self.lifecycle.abort()

    async def _next_turn(self) -> None:
        """Wait for a change, at most a tick."""
        changed = self.lifecycle.changed
        timer = asyncio.get_running_loop().call_later(self._tick_s, changed.set)
        await changed.wait()
        timer.cancel()
        changed.clear()

    async def _read_engine(self) -> None:
        async for event in self._supervisor.events():
            self._events.append(event)
            self.lifecycle.changed.set()

    def _account(self, now: float) -> None:
        """Apply what the engine did since the last turn: to generations, queue and log."""
        events, self._events = self._events, []
        for event in events:
            if isinstance(event, Step):
                self._step(event, now)
            elif isinstance(event, EngineReady):
                self._scheduler.set_kv_tokens(event.info.kv_tokens)
                self._gate.update(now, cache_lost=True)
            else:
                self._gate.failed(now)
                self.lifecycle.engine_lost(now)

    def _step(self, step: Step, now: float) -> None:
        tokens = sum(self.lifecycle.advance(output, now) for output in step.outputs)
        if tokens:
            self._gate.served(now)
            self._throughput.add(tokens, now)

    def _expire(self, now: float) -> None:
        for generation, reason in self._scheduler.expired(now):
            self.lifecycle.expire(generation, reason)

    def _schedule(self, now: float) -> None:
        while (request := self._gate.schedule_next(now)) is not None:
            self.lifecycle.scheduled(request.generation)

    def _publish_positions(self, now: float) -> None:
        if self._positions.due(now):
            for generation, status in self._positions.updates(self._scheduler.positions(now), now).items():
                self._publisher.publish_status(generation, status)


class Throughput:
    """Tokens per second over the last seconds. Pure: the clock is an argument."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int]] = deque()
        self._total = 0

    def add(self, tokens: int, now: float) -> None:
        if tokens:
            self._counts.append((now, tokens))
            self._total += tokens
        self._trim(now)

    def per_s(self, now: float) -> float:
        self._trim(now)
        return self._total / THROUGHPUT_WINDOW_S

    def _trim(self, now: float) -> None:
        while self._counts and self._counts[0][0] <= now - THROUGHPUT_WINDOW_S:
            self._total -= self._counts.popleft()[1]
