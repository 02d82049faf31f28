"""The dispatcher: one cycle that joins line, engine, log and rows.

    account the steps → expire deadlines → pick → tell positions → abort

Arrivals and cancels are applied when they come, between two turns of the same event loop. Nothing in a
turn waits for the database or the log: claims, checkpoints, outcomes and appends have tasks of their own.
What happens to one job is in `lifecycle`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import msgspec

from inference.board import Board
from inference.dispatch import outcomes
from inference.dispatch.gate import Gate, Pause
from inference.dispatch.job import Job
from inference.dispatch.lifecycle import Lifecycle
from inference.dispatch.positions import Positions
from inference.dispatch.publisher import Publisher
from inference.dispatch.store import Store
from inference.dispatch.supervisor import EngineLost, EngineReady, Supervisor
from inference.dispatch.throughput import Throughput
from inference.engines.base import Step
from inference.reasoning import Reasoning
from inference.request import Request
from inference.scheduling.breaker import Breaker
from inference.scheduling.errors import TooLargeError
from inference.scheduling.scheduler import Scheduler
from inference.stream_log.base import FencedError, StreamLog

log = logging.getLogger(__name__)

DRAIN_LOOK_S = 0.05
"""How soon a drain notices that the last answer ended: short beside any grace period."""

FLUSH_S = 5.0
"""For the ends of drained answers to be written: milliseconds, unless the database or the log is away."""


class DispatcherSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`epoch` is the owner's fencing number, `max_starts` how often one generation may be given to an engine.

    `reasoning`: how thought is told apart from the answer.
    `tick_s`: a turn comes at least this often, for deadlines and positions while nothing else happens.
    """

    epoch: int
    max_starts: int = 2
    tick_s: float = 0.25
    reasoning: Reasoning = "auto"


class Dispatcher:
    """Owner of the line and of every running generation. One event loop, no locks.

    `clock` is monotonic seconds. The shell calls `enqueue`, `cancel`, `board`, runs `run`, ends with `drain`.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        supervisor: Supervisor,
        stream_log: StreamLog,
        store: Store,
        settings: DispatcherSettings,
        clock: Callable[[], float] = time.monotonic,
        breaker: Breaker | None = None,
    ) -> None:
        self._scheduler = scheduler
        self._supervisor = supervisor
        self._tick_s = settings.tick_s
        self._reasoning = settings.reasoning
        self._clock = clock
        self._news: list[Step | EngineReady | EngineLost] = []
        self._wake = asyncio.Event()
        self._stopped = False
        self._gate = Gate(scheduler, supervisor, breaker or Breaker())
        self._gate.update(clock())
        self._positions = Positions()
        self._throughput = Throughput()
        self._publisher = Publisher(stream_log, settings.epoch, clock)
        self._life = Lifecycle(
            scheduler=scheduler,
            supervisor=supervisor,
            store=store,
            publisher=self._publisher,
            gate=self._gate,
            max_starts=settings.max_starts,
            clock=clock,
            wake=self._wake.set,
        )

    def enqueue(self, request: Request) -> None:
        """Put a queued row's request in line; one that is known already is ignored.

        A request that could never run ends as failed. Raises QueueFullError: its row stays queued, try later.
        """
        jobs = self._life.jobs
        if request.generation in jobs:
            return
        now = self._clock()
        try:
            kind = self._scheduler.add(request, now)
            job = jobs[request.generation] = Job(request, kind, now, self._reasoning)
        except TooLargeError as error:
            job = jobs[request.generation] = Job(request, "heavy", now)
            self._life.end(job, outcomes.REFUSED, str(error))
        self._wake.set()

    def turn_away(self, request: Request, *, unreadable: bool = False) -> None:
        """End a queued row's request that is not in line: stopped where there was no room for it, or failed
        since its row makes no request. One that is known is `cancel`'s."""
        jobs = self._life.jobs
        if request.generation not in jobs:
            job = jobs[request.generation] = Job(request, "heavy", self._clock())
            self._life.end(job, outcomes.UNREADABLE if unreadable else outcomes.CANCELLED)

    def cancel(self, generation: str) -> bool:
        """Stop a generation, waiting or running; its text is kept. False: it is not known here (any more)."""
        job = self._life.live(generation)
        if job is None:
            return False
        self._life.end(job, outcomes.CANCELLED)
        return True

    @property
    def known(self) -> frozenset[str]:
        """Generations in this process's hands, until their outcome is recorded."""
        return frozenset(self._life.jobs)

    @property
    def claimed(self) -> frozenset[str]:
        """Generations whose rows say running because of us: those that need a heartbeat."""
        return frozenset(generation for generation, job in self._life.jobs.items() if job.claimed)

    def pause(self, why: Pause = "paused") -> None:
        """Start nothing new; what runs goes on. Time in line stands still. `why` is what the board says."""
        self._gate.pause(why, self._clock())

    def resume(self) -> None:
        """Start again after a pause, whatever its reason."""
        self._gate.resume(self._clock())
        self._wake.set()

    def board(self) -> Board:
        """The picture for the web tier."""
        now, load, supervisor = self._clock(), self._scheduler.load(), self._supervisor
        return Board(
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
        life = self._life
        try:
            async with asyncio.TaskGroup() as group:
                parts = (self._read_engine(), life.claimer.run(), life.writer.run(), self._publisher.run())
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
        while self._life.begun() and self._clock() < due:  # noqa: ASYNC110 - bounded by the grace
            await asyncio.sleep(min(DRAIN_LOOK_S, grace_s))
        for job in self._life.begun():
            self._life.end(job, outcomes.DRAINED)
        try:
            async with asyncio.timeout(FLUSH_S):
                await self._life.writer.flushed()
                await self._publisher.flushed()
        except TimeoutError:
            log.error("Not every end could be written; the next process recovers them.")
        self._stopped = True
        self._wake.set()

    async def _turn(self) -> None:
        now = self._clock()
        self._account(now)
        self._expire(now)
        self._pick(now)
        self._tell(now)
        await self._life.abort()

    async def _next_turn(self) -> None:
        """Wait for news, at most a tick."""
        timer = asyncio.get_running_loop().call_later(self._tick_s, self._wake.set)
        await self._wake.wait()
        timer.cancel()
        self._wake.clear()

    async def _read_engine(self) -> None:
        async for news in self._supervisor.steps():
            self._news.append(news)
            self._wake.set()

    def _account(self, now: float) -> None:
        """What the engine did since the last turn: into jobs, line and log."""
        news, self._news = self._news, []
        for item in news:
            if isinstance(item, Step):
                self._step(item, now)
            elif isinstance(item, EngineReady):
                self._scheduler.fit(item.info.kv_tokens)
                self._gate.update(now, cache_lost=True)
            else:
                self._gate.failed(now)
                self._life.engine_lost(now)

    def _step(self, step: Step, now: float) -> None:
        tokens = sum(self._life.advance(output, now) for output in step.outputs)
        if tokens:
            self._gate.served(now)
            self._throughput.add(tokens, now)

    def _expire(self, now: float) -> None:
        for generation, reason in self._scheduler.expired(now):
            job = self._life.live(generation)
            if job is not None:
                self._life.end(job, outcomes.deadline(reason))

    def _pick(self, now: float) -> None:
        while (request := self._gate.pick(now)) is not None:
            self._life.picked(request.generation)

    def _tell(self, now: float) -> None:
        if self._positions.due(now):
            for generation, notice in self._positions.news(self._scheduler.line(now), now).items():
                self._publisher.notify(generation, notice)
