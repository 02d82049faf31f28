"""The life of jobs: picked → claimed → started → advanced → ended → recorded.

Each step is a method that moves one job on and keeps line, engine, log and rows in agreement. An outcome
is fixed first (`end`), then recorded by the writer, and only then does `Finished` go out. The engine's
slot of an ended job is free when the engine has confirmed, within one step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from inference.dispatch import outcomes
from inference.dispatch.claimer import Claimer
from inference.dispatch.gate import Gate
from inference.dispatch.job import Job
from inference.dispatch.outcomes import Ending
from inference.dispatch.publisher import Publisher
from inference.dispatch.store import Store
from inference.dispatch.supervisor import Supervisor
from inference.dispatch.writer import Writer
from inference.engines.base import EngineDiedError, Output
from inference.scheduling.scheduler import Scheduler
from inference.stream_log.base import Started

log = logging.getLogger(__name__)


class Lifecycle:
    """Every job from its arrival until its outcome is recorded. `wake` asks the dispatcher for a turn."""

    def __init__(
        self,
        *,
        scheduler: Scheduler,
        supervisor: Supervisor,
        store: Store,
        publisher: Publisher,
        gate: Gate,
        max_starts: int,
        clock: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self._scheduler = scheduler
        self._supervisor = supervisor
        self._publisher = publisher
        self._gate = gate
        self._max_starts = max_starts
        self._clock = clock
        self._wake = wake
        self._aborts: list[str] = []
        self.jobs: dict[str, Job] = {}
        self.in_engine: set[str] = set()
        self.claimer = Claimer(store, self._claimed)
        self.writer = Writer(store, self._running, self._recorded, clock)

    def live(self, generation: str) -> Job | None:
        """The job, unless it is unknown or has its outcome."""
        job = self.jobs.get(generation)
        return job if job is not None and job.outcome is None else None

    def begun(self) -> list[Job]:
        """Jobs that the engine has, or will have in a moment."""
        return [job for job in self.jobs.values() if job.phase != "waiting" and job.outcome is None]

    def picked(self, generation: str) -> None:
        """The line has chosen it: ask the rows."""
        job = self.jobs[generation]
        job.phase = "claiming"
        self.claimer.put(job)

    def advance(self, output: Output, now: float) -> int:
        """One step's news of one request; the tokens that still counted."""
        job = self.live(output.id)
        if job is not None:
            if output.prompt_tokens is not None:
                self._scheduler.prefilled(output.id, output.prompt_tokens, output.cached_tokens)
            if output.finish_reason is not None and output.cached_tokens is not None:
                self._scheduler.cached(output.id, output.cached_tokens)
            if output.new_tokens:
                self._scheduler.produced(output.id, output.new_tokens, now)
            delta = job.take(output, now)
            if delta is not None:
                self._publisher.put(job, delta)
        if output.finish_reason is not None:
            self._left_engine(job, output, now)
        return output.new_tokens if job is not None else 0

    def engine_lost(self, now: float) -> None:
        """Begun answers end as interrupted with their text; the others go back to their place in line."""
        generations, self.in_engine = self.in_engine, set()
        for generation in generations:
            job = self.live(generation)
            if job is None:
                self._scheduler.finish(generation, now, complete=False)
            elif job.begun:
                self.end(job, outcomes.ENGINE_LOST)
            elif job.starts >= self._max_starts:
                self.end(job, outcomes.ENGINE_LOST_TWICE)
            else:
                self._requeue(job, now)

    def end(self, job: Job, ending: Ending, message: str = "") -> None:
        """Fix the outcome, and free its place: in line at once, in the engine within one step."""
        now = self._clock()
        job.end(ending.status, ending.finish_reason, message or ending.message, now)
        if job.generation in self.in_engine:
            self._aborts.append(job.generation)
        else:
            self._let_go(job, now)
        self.writer.finish(job)
        self._wake()

    async def abort(self) -> None:
        """Tell the engine about everything that ended since the last turn."""
        if self._aborts:
            aborts, self._aborts = self._aborts, []
            await self._supervisor.abort(aborts)

    async def _claimed(self, job: Job, ours: bool) -> None:
        """The rows have answered: start it, or end it."""
        if job.outcome is not None:
            return
        if ours:
            job.claimed = True
            await self._start(job, self._clock())
        else:
            # Erased, as a rule: its reservation ends and its log is forgotten as at any end.
            self.end(job, outcomes.CANCELLED)

    async def _start(self, job: Job, now: float) -> None:
        """Hand it to the engine; without one it goes back to the line."""
        if not self._supervisor.ready:
            self._requeue(job, now)
            return
        job.phase, job.started_at = "running", now
        job.starts += 1
        self.in_engine.add(job.generation)
        self._publisher.notify(job.generation, Started())
        try:
            await self._supervisor.add(job.engine_request(self._scheduler.priority_of(job.generation)))
        except EngineDiedError:
            if job.generation in self.in_engine:
                self.in_engine.discard(job.generation)
                self._gave_back(job)
        except Exception as error:  # whatever is wrong with this request ends nobody else's
            log.exception("A request could not be handed to the engine")
            refused = Output(
                job.generation, finish_reason="error", error=f"The engine did not take it: {error}"
            )
            self._left_engine(job, refused, self._clock())

    def _gave_back(self, job: Job) -> None:
        """The engine died while it was handed over: nothing of it ran."""
        if job.outcome is None:
            self._requeue(job, self._clock())
        else:
            self._let_go(job, self._clock())

    def _left_engine(self, job: Job | None, output: Output, now: float) -> None:
        """The engine has let go: the slot is free, and a job that had not ended ends by the engine's word."""
        self.in_engine.discard(output.id)
        self._scheduler.finish(output.id, now, complete=output.finish_reason in ("stop", "length"))
        self._gate.dropped(output.id, now)
        if job is not None:
            self.end(job, outcomes.by_engine(output), output.error or "")

    def _requeue(self, job: Job, now: float) -> None:
        """Back to its old place in line; its row stays claimed."""
        job.phase, job.started_at = "waiting", None
        job.begin_again()
        self._scheduler.requeue(job.generation, now)
        self._wake()

    def _let_go(self, job: Job, now: float) -> None:
        """Out of the line, or of the slot it was picked for, without having run to its end."""
        self._scheduler.finish(job.generation, now, complete=False)
        self._gate.dropped(job.generation, now)

    def _recorded(self, job: Job) -> None:
        """The outcome is in the row, or the row was erased meanwhile: only now may readers see the end. It
        also lets the log forget the stream."""
        self.jobs.pop(job.generation, None)
        self._publisher.put(job, job.finish())

    def _running(self) -> list[Job]:
        return [job for job in self.jobs.values() if job.phase == "running" and job.outcome is None]
