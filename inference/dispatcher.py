"""The dispatcher: one cycle that joins line, engine, log and rows.

    account the steps → expire deadlines → pick → tell positions

Arrivals and cancels are applied when they come, between two turns of the same event loop. Nothing in a
turn waits for the database or the log: claims, checkpoints, outcomes and appends have tasks of their own.

The job's text in memory is the truth. An outcome is fixed first (`_end`), then recorded by the writer,
and only then does `Finished` go out. A cancelled job's slot is free when the engine has confirmed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec

from inference.board import Board, EngineState
from inference.claimer import Claimer
from inference.engines.base import EngineDiedError, Output, Step
from inference.job import Job
from inference.outcomes import (
    BOUND_TO_FAIL,
    CANCELLED,
    DRAINED,
    ENGINE_DROPPED,
    ENGINE_LOST,
    Ending,
    deadline,
)
from inference.positions import Positions
from inference.publisher import Publisher
from inference.request import Request
from inference.scheduling import Scheduler, TooLargeError
from inference.store import Store
from inference.stream_log.base import FencedError, Queued, Started, StreamLog
from inference.supervisor import EngineLost, EngineReady, Supervisor
from inference.throughput import Throughput
from inference.writer import Writer


class DispatcherSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`epoch` is the owner's fencing number, `max_starts` how often one generation may be given to an engine.

    `tick_s`: a turn comes at least this often, for deadlines and positions while nothing else happens.
    """

    epoch: int
    max_starts: int = 2
    tick_s: float = 0.25


class Dispatcher:
    """Owner of the line and of every running generation. One event loop, no locks.

    `clock` is monotonic seconds. The shell calls `enqueue`, `cancel`, `board`; runs `run()`; ends with `drain`.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        supervisor: Supervisor,
        stream_log: StreamLog,
        store: Store,
        settings: DispatcherSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scheduler = scheduler
        self._supervisor = supervisor
        self._settings = settings
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._in_engine: set[str] = set()
        self._aborts: list[str] = []
        self._news: list[Step | EngineReady | EngineLost] = []
        self._wake = asyncio.Event()
        self._stopped = False
        self._paused = False
        self._draining = False
        self._positions = Positions()
        self._throughput = Throughput()
        self._publisher = Publisher(stream_log, settings.epoch, clock)
        self._claimer = Claimer(store, self._claimed)
        self._writer = Writer(store, self._running_jobs, self._recorded, clock)

    # -- for the shell

    def enqueue(self, request: Request) -> None:
        """Put a queued row's request in line; one that is known already is ignored.

        A request that could never run ends as failed. Raises QueueFullError: the row stays queued, try later.
        """
        if request.generation in self._jobs:
            return
        now = self._clock()
        try:
            request_class = self._scheduler.add(request, now)
        except TooLargeError as error:
            job = self._jobs[request.generation] = Job(request, "heavy", now)
            self._end(job, BOUND_TO_FAIL, str(error))
            return
        self._jobs[request.generation] = Job(request, request_class, now)
        self._wake.set()

    def cancel(self, generation: str) -> bool:
        """Stop a generation, waiting or running; its text is kept. False: it is not known here (any more)."""
        job = self._jobs.get(generation)
        if job is None or job.outcome is not None:
            return False
        self._end(job, CANCELLED)
        return True

    @property
    def known(self) -> frozenset[str]:
        """Generations in this process's hands, until their outcome is recorded."""
        return frozenset(self._jobs)

    @property
    def running(self) -> frozenset[str]:
        """Generations whose rows are claimed: those that need a heartbeat."""
        return frozenset(generation for generation, job in self._jobs.items() if job.claimed)

    def pause(self) -> None:
        """Start nothing new; what runs goes on."""
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._wake.set()

    def board(self) -> Board:
        """The picture for the web tier; `at` is wall-clock."""
        now = self._clock()
        load = self._scheduler.load()
        supervisor = self._supervisor
        return Board(
            at=time.time(),
            state=self._state(),
            detail=supervisor.detail,
            progress=supervisor.progress,
            info=supervisor.info,
            stats=supervisor.stats(),
            waiting=dict(load.waiting),
            running=dict(load.running),
            tokens_per_s=self._throughput.per_s(now),
            retry_after_s=self._scheduler.retry_after_s(now),
        )

    async def run(self) -> None:
        """Until drained. Raises FencedError when a younger owner exists: end the process."""
        try:
            async with asyncio.TaskGroup() as group:
                helpers = [
                    group.create_task(self._read_engine(), name="dispatcher-engine"),
                    group.create_task(self._claimer.run(), name="dispatcher-claimer"),
                    group.create_task(self._writer.run(), name="dispatcher-writer"),
                    group.create_task(self._publisher.run(), name="dispatcher-publisher"),
                ]
                while not self._stopped:
                    await self._turn()
                    await self._next_turn()
                for helper in helpers:
                    helper.cancel()
        except* FencedError as fenced:
            await self._supervisor.abort(list(self._in_engine))
            raise fenced.exceptions[0] from None

    async def drain(self, grace_s: float) -> None:
        """Start nothing new, give the running `grace_s` to end, keep the rest as interrupted; then run() returns.

        Waiting generations stay queued in their rows, for the next owner.
        """
        self._draining = True
        deadline_at = self._clock() + grace_s
        while self._claimed_jobs() and self._clock() < deadline_at:
            await asyncio.sleep(min(0.05, grace_s))
        for job in self._claimed_jobs():
            self._end(job, DRAINED)
        await self._writer.flushed()
        await self._publisher.flushed()
        self._stopped = True
        self._wake.set()

    # -- the cycle

    async def _turn(self) -> None:
        now = self._clock()
        self._account(now)
        self._expire(now)
        self._pick(now)
        self._tell(now)
        await self._abort()

    async def _next_turn(self) -> None:
        """Wait for news, at most a tick."""
        timer = asyncio.get_running_loop().call_later(self._settings.tick_s, self._wake.set)
        await self._wake.wait()
        timer.cancel()
        self._wake.clear()

    async def _read_engine(self) -> None:
        async for news in self._supervisor.steps():
            self._news.append(news)
            self._wake.set()

    def _account(self, now: float) -> None:
        """What the engine made since the last turn, into jobs, line and log."""
        news, self._news = self._news, []
        tokens = 0
        for item in news:
            if isinstance(item, Step):
                for output in item.outputs:
                    tokens += output.new_tokens
                    self._take(output, now)
            elif isinstance(item, EngineLost):
                self._lost(now)
        self._throughput.add(tokens, now)

    def _take(self, output: Output, now: float) -> None:
        generation = output.id
        if output.finish_reason:
            self._in_engine.discard(generation)
        job = self._jobs.get(generation)
        if job is not None and job.outcome is None:
            if output.prompt_tokens is not None:
                self._scheduler.prefilled(generation, output.prompt_tokens, output.cached_tokens)
            if output.new_tokens:
                self._scheduler.produced(generation, output.new_tokens, now)
            delta = job.take(output, now)
            if delta is not None:
                self._publisher.put(job, delta)
            if output.finish_reason:
                self._finished(job, output)
        if output.finish_reason:
            self._scheduler.finish(generation, now)

    def _finished(self, job: Job, output: Output) -> None:
        """The engine ended it by itself."""
        if output.finish_reason in ("stop", "length"):
            self._end(job, Ending("finished", output.finish_reason))
        elif output.finish_reason == "error":
            self._end(job, BOUND_TO_FAIL, output.error or "The engine refused this request.")
        else:
            self._end(job, ENGINE_DROPPED)

    def _lost(self, now: float) -> None:
        """The engine is gone: keep begun answers as interrupted, put the others back at their place in line."""
        generations, self._in_engine = self._in_engine, set()
        for generation in generations:
            job = self._jobs.get(generation)
            if job is None or job.outcome is not None:
                self._scheduler.finish(generation, now)
            elif job.seq or job.starts >= self._settings.max_starts:
                self._end(job, ENGINE_LOST if job.seq else BOUND_TO_FAIL, ENGINE_LOST.message)
                self._scheduler.finish(generation, now)
            else:
                self._requeue(job, now)

    def _expire(self, now: float) -> None:
        for generation, reason in self._scheduler.expired(now):
            job = self._jobs.get(generation)
            if job is not None and job.outcome is None:
                self._end(job, deadline(reason))

    def _pick(self, now: float) -> None:
        if self._paused or self._draining or not self._supervisor.ready:
            return
        while (request := self._scheduler.pick(now)) is not None:
            job = self._jobs[request.generation]
            job.phase = "claiming"
            self._claimer.put(job)

    def _tell(self, now: float) -> None:
        if self._positions.due(now):
            for generation, notice in self._positions.news(self._scheduler.line(now), now).items():
                self._publisher.notify(generation, notice)

    async def _abort(self) -> None:
        if self._aborts:
            aborts, self._aborts = self._aborts, []
            await self._supervisor.abort(aborts)

    # -- one job's way

    async def _claimed(self, job: Job, ours: bool) -> None:
        """The rows have answered: start it, or let it go."""
        now = self._clock()
        if job.outcome is not None:
            return
        if not ours:
            self._scheduler.finish(job.generation, now)
            del self._jobs[job.generation]
            self._wake.set()
            return
        job.claimed = True
        if not self._supervisor.ready:
            self._requeue(job, now)
            return
        job.phase, job.started_at = "running", now
        job.starts += 1
        self._in_engine.add(job.generation)
        self._publisher.notify(job.generation, Started())
        try:
            await self._supervisor.add(job.engine_request(self._scheduler.priority_of(job.generation)))
        except EngineDiedError:
            if job.generation in self._in_engine:
                self._in_engine.discard(job.generation)
                self._requeue(job, self._clock())

    def _requeue(self, job: Job, now: float) -> None:
        job.phase, job.started_at = "waiting", None
        self._scheduler.requeue(job.generation, now)
        self._wake.set()

    def _end(self, job: Job, ending: Ending, message: str = "") -> None:
        """Fix the outcome and free what it holds: the line's slot at once, the engine's within one step."""
        now = self._clock()
        job.end(ending.status, ending.finish_reason, message or ending.message, now)
        if job.generation in self._in_engine:
            self._aborts.append(job.generation)
        else:
            self._scheduler.finish(job.generation, now)
        self._writer.finish(job)
        self._wake.set()

    def _recorded(self, job: Job, written: bool) -> None:
        """The outcome is in the row: only now may readers see the end."""
        self._jobs.pop(job.generation, None)
        if written:
            self._publisher.put(job, job.finish())

    def _running_jobs(self) -> list[Job]:
        return [job for job in self._jobs.values() if job.phase == "running" and job.outcome is None]

    def _claimed_jobs(self) -> list[Job]:
        """Those that an engine has or will have in a moment."""
        return [job for job in self._jobs.values() if job.phase != "waiting" and job.outcome is None]

    def _state(self) -> EngineState:
        if self._draining:
            return "draining"
        if self._paused and self._supervisor.ready:
            return "paused"
        return self._supervisor.state
