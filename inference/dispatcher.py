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
from collections.abc import Callable, Iterable

import msgspec

from inference import outcomes
from inference.board import Board
from inference.breaker import Breaker
from inference.claimer import Claimer
from inference.engines.base import EngineDiedError, Output, Step
from inference.errors import TooLargeError
from inference.gate import Gate
from inference.job import Job
from inference.outcomes import Ending
from inference.positions import Positions
from inference.publisher import Publisher
from inference.request import Request
from inference.scheduler import Scheduler
from inference.store import Store
from inference.stream_log.base import FencedError, Started, StreamLog
from inference.supervisor import EngineLost, EngineReady, Supervisor
from inference.throughput import Throughput
from inference.writer import Writer

DRAIN_LOOK_S = 0.05
"""How soon a drain notices that the last answer ended: short beside any grace period."""


class DispatcherSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`epoch` is the owner's fencing number, `max_starts` how often one generation may be given to an engine.

    `tick_s`: a turn comes at least this often, for deadlines and positions while nothing else happens.
    """

    epoch: int
    max_starts: int = 2
    tick_s: float = 0.25


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
        self._settings = settings
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._in_engine: set[str] = set()
        self._aborts: list[str] = []
        self._news: list[Step | EngineReady | EngineLost] = []
        self._wake = asyncio.Event()
        self._stopped = False
        self._gate = Gate(scheduler, supervisor, breaker or Breaker())
        self._gate.update(clock())
        self._positions = Positions()
        self._throughput = Throughput()
        self._publisher = Publisher(stream_log, settings.epoch, clock)
        self._claimer = Claimer(store, self._claimed)
        self._writer = Writer(store, self._running_jobs, self._recorded, clock)

    def enqueue(self, request: Request) -> None:
        """Put a queued row's request in line; one that is known already is ignored.

        A request that could never run ends as failed. Raises QueueFullError: its row stays queued, try later.
        """
        if request.generation in self._jobs:
            return
        now = self._clock()
        try:
            job = Job(request, self._scheduler.add(request, now), now)
        except TooLargeError as error:
            job = Job(request, "heavy", now)
            self._end(job, outcomes.REFUSED, str(error))
        self._jobs[request.generation] = job
        self._wake.set()

    def cancel(self, generation: str) -> bool:
        """Stop a generation, waiting or running; its text is kept. False: it is not known here (any more)."""
        job = self._jobs.get(generation)
        if job is None or job.outcome is not None:
            return False
        self._end(job, outcomes.CANCELLED)
        return True

    @property
    def known(self) -> frozenset[str]:
        """Generations in this process's hands, until their outcome is recorded."""
        return frozenset(self._jobs)

    @property
    def claimed(self) -> frozenset[str]:
        """Generations whose rows say running because of us: those that need a heartbeat."""
        return frozenset(generation for generation, job in self._jobs.items() if job.claimed)

    def pause(self) -> None:
        """Start nothing new; what runs goes on. Time in line stands still."""
        self._gate.pause(self._clock())

    def resume(self) -> None:
        """Start again after a pause."""
        self._gate.resume(self._clock())
        self._wake.set()

    def board(self) -> Board:
        """The picture for the web tier. `retry_after_s` is set only while newcomers are refused."""
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
            retry_after_s=self._gate.retry_after_s(now),
        )

    async def run(self) -> None:
        """Until drained; the engine is closed then. Raises FencedError when a younger owner exists."""
        try:
            async with asyncio.TaskGroup() as group:
                parts = (self._read_engine(), self._claimer.run(), self._writer.run(), self._publisher.run())
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

        Waiting generations stay queued in their rows, for the next owner.
        """
        self._gate.drain(self._clock())
        due = self._clock() + grace_s
        while self._begun() and self._clock() < due:  # noqa: ASYNC110 - bounded by the grace, nothing to wait on
            await asyncio.sleep(min(DRAIN_LOOK_S, grace_s))
        for job in self._begun():
            self._end(job, outcomes.DRAINED)
        await self._writer.flushed()
        await self._publisher.flushed()
        self._stopped = True
        self._wake.set()

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
        """What the engine did since the last turn: into jobs, line and log."""
        news, self._news = self._news, []
        for item in news:
            if isinstance(item, Step):
                self._step(item.outputs, now)
            elif isinstance(item, EngineReady):
                self._gate.update(now, cache_lost=True)
            else:
                self._gate.failed(now)
                self._lost(now)

    def _step(self, outputs: Iterable[Output], now: float) -> None:
        tokens = 0
        for output in outputs:
            job = self._jobs.get(output.id)
            if job is not None and job.outcome is None:
                tokens += output.new_tokens
                self._advance(job, output, now)
            if output.finish_reason is not None:
                self._leave_engine(output, now)
        if tokens:
            self._gate.served(now)
            self._throughput.add(tokens, now)

    def _advance(self, job: Job, output: Output, now: float) -> None:
        """One step's news of one job."""
        if output.prompt_tokens is not None:
            self._scheduler.prefilled(job.generation, output.prompt_tokens, output.cached_tokens)
        if output.new_tokens:
            self._scheduler.produced(job.generation, output.new_tokens, now)
        delta = job.take(output, now)
        if delta is not None:
            self._publisher.put(job, delta)

    def _leave_engine(self, output: Output, now: float) -> None:
        """The engine has let go: its slot is free, and a job that had not ended ends by the engine's word."""
        self._in_engine.discard(output.id)
        self._scheduler.finish(output.id, now, complete=output.finish_reason in ("stop", "length"))
        job = self._jobs.get(output.id)
        if job is not None and job.outcome is None:
            self._end(job, outcomes.by_engine(output), output.error or "")

    def _lost(self, now: float) -> None:
        """The engine is gone: begun answers end as interrupted, the others go back to their place in line."""
        generations, self._in_engine = self._in_engine, set()
        for generation in generations:
            job = self._jobs.get(generation)
            if job is None or job.outcome is not None:
                self._scheduler.finish(generation, now, complete=False)
            elif job.seq:
                self._end(job, outcomes.ENGINE_LOST)
            elif job.starts >= self._settings.max_starts:
                self._end(job, outcomes.ENGINE_LOST_TWICE)
            else:
                self._requeue(job, now)

    def _expire(self, now: float) -> None:
        for generation, reason in self._scheduler.expired(now):
            job = self._jobs.get(generation)
            if job is not None and job.outcome is None:
                self._end(job, outcomes.deadline(reason))

    def _pick(self, now: float) -> None:
        while (request := self._gate.pick(now)) is not None:
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

    async def _claimed(self, job: Job, ours: bool) -> None:
        """The rows have answered: start it, or let it go."""
        if job.outcome is not None:
            return
        if ours:
            job.claimed = True
            await self._start(job, self._clock())
        else:
            self._let_go(job, self._clock())
            del self._jobs[job.generation]

    async def _start(self, job: Job, now: float) -> None:
        """Hand it to the engine; without one it goes back to the line."""
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
        """Back to its old place in line; its row stays claimed."""
        job.phase, job.started_at = "waiting", None
        self._scheduler.requeue(job.generation, now)
        self._wake.set()

    def _end(self, job: Job, ending: Ending, message: str = "") -> None:
        """Fix the outcome, and free its place: in line at once, in the engine within one step."""
        now = self._clock()
        job.end(ending.status, ending.finish_reason, message or ending.message, now)
        if job.generation in self._in_engine:
            self._aborts.append(job.generation)
            self._wake.set()
        else:
            self._let_go(job, now)
        self._writer.finish(job)

    def _let_go(self, job: Job, now: float) -> None:
        """Out of the line, or of the slot it was picked for, without having run to its end."""
        self._scheduler.finish(job.generation, now, complete=False)
        self._gate.dropped(job.generation, now)
        self._wake.set()

    def _recorded(self, job: Job, written: bool) -> None:
        """The outcome is in the row: only now may readers see the end."""
        self._jobs.pop(job.generation, None)
        if written:
            self._publisher.put(job, job.finish())

    def _running_jobs(self) -> list[Job]:
        return [job for job in self._jobs.values() if job.phase == "running" and job.outcome is None]

    def _begun(self) -> list[Job]:
        """Jobs that the engine has, or will have in a moment."""
        return [job for job in self._jobs.values() if job.phase != "waiting" and job.outcome is None]
