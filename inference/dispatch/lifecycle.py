"""The life of a generation here: enqueued → scheduled → claimed → started → advanced → ended → recorded.

Each step is a method that moves one generation on and keeps queue, engine, log and rows in agreement. An
outcome is fixed first, then recorded by the writer, and only then does `Finished` go out. The engine's slot
of an ended one is free when the engine has confirmed, within one step.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

from inference.dispatch.active_generation import (
    CANCELLED,
    DRAINED,
    ENGINE_LOST,
    ENGINE_LOST_TWICE,
    REFUSED,
    UNREADABLE,
    ActiveGeneration,
    Ending,
    ending_by_deadline,
    ending_by_engine,
)
from inference.dispatch.gate import Gate
from inference.dispatch.publisher import Publisher
from inference.dispatch.store import Store
from inference.dispatch.store_writers import Claimer, OutcomeWriter
from inference.dispatch.supervisor import Supervisor
from inference.engines.base import EngineDiedError, Output
from inference.reasoning import Reasoning
from inference.request import Request
from inference.scheduling.scheduler import Scheduler, TooLargeError
from inference.stream_log.base import Started

log = logging.getLogger(__name__)


class Lifecycle:
    """Owner of every active generation, from its arrival until its outcome is recorded.

    One event loop, no locks. `changed` is set when there is something to do for the dispatcher's next turn.
    """

    def __init__(
        self,
        *,
        scheduler: Scheduler,
        supervisor: Supervisor,
        store: Store,
        publisher: Publisher,
        gate: Gate,
        max_starts: int,
        reasoning: Reasoning,
        clock: Callable[[], float],
    ) -> None:
        self._scheduler = scheduler
        self._supervisor = supervisor
        self._publisher = publisher
        self._gate = gate
        self._max_starts = max_starts
        self._reasoning = reasoning
        self._clock = clock
        self._active: dict[str, ActiveGeneration] = {}
        self._in_engine: set[str] = set()
        self._aborts: list[str] = []
        self._claimer = Claimer(store, self._claimed)
        self._writer = OutcomeWriter(store, self._running, self._recorded, clock)
        self.changed = asyncio.Event()

    @property
    def known(self) -> frozenset[str]:
        """Generations in this process's hands, until their outcome is recorded."""
        return frozenset(self._active)

    @property
    def unpublished(self) -> frozenset[str]:
        """Generations whose last event the log has not taken yet."""
        return self._publisher.unfinished

    @property
    def in_engine(self) -> frozenset[str]:
        """Generations that occupy the engine: also those that ended, until it has let go of them."""
        return frozenset(self._in_engine)

    def enqueue(self, request: Request) -> None:
        """Put a queued row's request in the scheduler's queue; one that is known already is ignored.

        A request that could never run ends as failed. Raises QueueFullError: its row stays queued, try later.
        """
        if request.generation in self._active:
            return
        now = self._clock()
        try:
            kind = self._scheduler.add(request, now)
        except TooLargeError as error:
            self._end_outside(request, REFUSED, str(error))
        else:
            self._active[request.generation] = ActiveGeneration(request, kind, now, self._reasoning)
            self.changed.set()

    def reject(self, request: Request, *, unreadable: bool = False) -> None:
        """End a queued row's request that is not in the queue: cancelled where there was no room for it, or
        failed since its row makes no request. A known one is cancelled instead."""
        if request.generation not in self._active:
            self._end_outside(request, UNREADABLE if unreadable else CANCELLED)

    def cancel(self, generation: str) -> bool:
        """Stop a generation, waiting or running; its text is kept. False: it is not known here (any more)."""
        active = self._unended(generation)
        if active is None:
            return False
        self._end(active, CANCELLED)
        return True

    def expire(self, generation: str, deadline: str) -> None:
        """A deadline has passed: queue, first_token, stall or total."""
        active = self._unended(generation)
        if active is not None:
            self._end(active, ending_by_deadline(deadline))

    def scheduled(self, generation: str) -> None:
        """The scheduler has chosen it: ask the rows."""
        active = self._active[generation]
        active.phase = "claiming"
        self._claimer.put(active)

    def advance(self, output: Output, now: float) -> int:
        """Apply one step's output of one request; returns the tokens that still counted."""
        active = self._unended(output.id)
        if active is not None:
            if output.prompt_tokens is not None:
                self._scheduler.prefilled(output.id, output.prompt_tokens, output.cached_tokens)
            if output.finish_reason is not None and output.cached_tokens is not None:
                self._scheduler.report_cached(output.id, output.cached_tokens)
            if output.new_tokens:
                self._scheduler.produced(output.id, output.new_tokens, now)
            delta = active.take(output, now)
            if delta is not None:
                self._publisher.put(active, delta)
        if output.finish_reason is not None:
            self._left_engine(active, output, now)
        return output.new_tokens if active is not None else 0

    def engine_lost(self, now: float) -> None:
        """Answers with output end as interrupted with their text; the others return to their position."""
        generations, self._in_engine = self._in_engine, set()
        for generation in generations:
            active = self._unended(generation)
            if active is None:
                self._scheduler.finish(generation, now, complete=False)
            elif active.has_output:
                self._end(active, ENGINE_LOST)
            elif active.starts >= self._max_starts:
                self._end(active, ENGINE_LOST_TWICE)
            else:
                self._requeue(active, now)

    @property
    def busy(self) -> bool:
        """Whether the engine has a generation, or will have one in a moment."""
        return bool(self._started())

    def interrupt(self) -> None:
        """End what has started, with its text: the process ends."""
        for active in self._started():
            self._end(active, DRAINED)

    async def abort(self) -> None:
        """Tell the engine about everything that ended since the last turn."""
        if self._aborts:
            aborts, self._aborts = self._aborts, []
            await self._supervisor.abort(aborts)

    async def run(self) -> None:
        """Claim, record and publish, until cancelled. Raises a group with FencedError."""
        async with asyncio.TaskGroup() as group:
            for part in (self._claimer, self._writer, self._publisher):
                group.create_task(part.run())

    async def flushed(self) -> None:
        """Wait until every outcome is in its row and every event in the log."""
        await self._writer.flushed()
        await self._publisher.flushed()

    def _unended(self, generation: str) -> ActiveGeneration | None:
        """The generation, unless it is unknown or has its outcome."""
        active = self._active.get(generation)
        return active if active is not None and active.outcome is None else None

    def _started(self) -> list[ActiveGeneration]:
        return [active for active in self._all_unended() if active.phase != "waiting"]

    def _end_outside(self, request: Request, ending: Ending, message: str = "") -> None:
        """End a request that never entered the queue."""
        active = self._active[request.generation] = ActiveGeneration(request, "heavy", self._clock())
        self._end(active, ending, message)

    def _end(self, active: ActiveGeneration, ending: Ending, message: str = "") -> None:
        """Fix the outcome, and free its place: in the queue at once, in the engine within one step."""
        now = self._clock()
        active.end(ending, message, now)
        if active.generation in self._in_engine:
            self._aborts.append(active.generation)
        else:
            self._let_go(active, now)
        self._writer.finish(active)
        self.changed.set()

    async def _claimed(self, active: ActiveGeneration, ours: bool) -> None:
        """The rows have answered: start it, or end it."""
        if active.outcome is not None:
            return
        if ours:
            active.claimed = True
            await self._start(active, self._clock())
        else:
            # Erased, as a rule: its reservation ends and its log is forgotten as at any end.
            self._end(active, CANCELLED)

    async def _start(self, active: ActiveGeneration, now: float) -> None:
        """Hand it to the engine; without one it goes back to the queue."""
        if not self._supervisor.ready:
            self._requeue(active, now)
            return
        active.phase, active.started_at = "running", now
        active.starts += 1
        self._in_engine.add(active.generation)
        self._publisher.publish_status(active.generation, Started())
        try:
            await self._supervisor.add(active.engine_request(self._scheduler.priority_of(active.generation)))
        except EngineDiedError:
            if active.generation in self._in_engine:
                self._in_engine.discard(active.generation)
                self._gave_back(active)
        except Exception as error:  # whatever is wrong with this request ends no other one
            log.exception("A request could not be handed to the engine")
            refused = Output(
                active.generation, finish_reason="error", error=f"The engine did not take it: {error}"
            )
            self._left_engine(active, refused, self._clock())

    def _gave_back(self, active: ActiveGeneration) -> None:
        """The engine died while it was handed over: nothing of it ran."""
        if active.outcome is None:
            self._requeue(active, self._clock())
        else:
            self._let_go(active, self._clock())

    def _left_engine(self, active: ActiveGeneration | None, output: Output, now: float) -> None:
        """The engine has let go: the slot is free, and what had not ended ends by the engine's word."""
        self._in_engine.discard(output.id)
        self._scheduler.finish(output.id, now, complete=output.finish_reason in ("stop", "length"))
        self._gate.dropped(output.id, now)
        if active is not None:
            self._end(active, ending_by_engine(output), output.error or "")

    def _requeue(self, active: ActiveGeneration, now: float) -> None:
        """Back to its old position in the queue; its row stays claimed."""
        active.phase, active.started_at = "waiting", None
        active.restart()
        self._scheduler.requeue(active.generation, now)
        self.changed.set()

    def _let_go(self, active: ActiveGeneration, now: float) -> None:
        """Out of the queue, or of the slot it was scheduled for, without having run to its end."""
        self._scheduler.finish(active.generation, now, complete=False)
        self._gate.dropped(active.generation, now)

    def _recorded(self, active: ActiveGeneration) -> None:
        """The outcome is in the row, or the row was erased meanwhile: only now may readers see the end. It
        also lets the log forget the stream."""
        self._active.pop(active.generation, None)
        self._publisher.put(active, active.finish())

    def _running(self) -> list[ActiveGeneration]:
        return [active for active in self._all_unended() if active.phase == "running"]

    def _all_unended(self) -> Iterator[ActiveGeneration]:
        return (active for active in self._active.values() if active.outcome is None)
