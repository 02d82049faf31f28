"""The store's writers: claims, checkpoints and outcomes in batches, so that no engine step waits for them.

Nothing is lost while this process lives: what fails is tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from inference.backoff import Backoff
from inference.dispatch.active_generation import ActiveGeneration
from inference.dispatch.store import Store
from inference.stream_log.base import FencedError

log = logging.getLogger(__name__)

GATHER_S = 0.25
"""How often due checkpoints are gathered: coarse, so that many become due together."""

CHECKPOINT_S = 1.0
"""Between checkpoints of a short answer: what a killed process may lose of it."""

LONGEST_CHECKPOINT_S = 5.0
"""Between checkpoints of a long one: rewriting a long text every second is quadratic work."""

CHARS_PER_SECOND = 2000
"""Text that adds a second between checkpoints: 8,000 characters reach the longest."""


class Claimer:
    """Claims scheduled generations in batches: while one batch is under way, the next gathers.

    `granted` is awaited for each with whether its row is ours now.
    """

    def __init__(self, store: Store, granted: Callable[[ActiveGeneration, bool], Awaitable[None]]) -> None:
        self._store = store
        self._granted = granted
        self._pending: list[ActiveGeneration] = []
        self._wake = asyncio.Event()

    def put(self, active: ActiveGeneration) -> None:
        self._pending.append(active)
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled. Raises FencedError."""
        backoff = Backoff()
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._pending = [active for active in self._pending if active.outcome is None], []
            if not batch:
                continue
            try:
                ours = await self._claim(batch)
            except FencedError:
                raise
            except Exception:
                log.exception("Claiming failed; it is tried again")
                self._pending[:0] = batch
                self._wake.set()
                await backoff.sleep()
                continue
            backoff.reset()
            for active in batch:
                await self._granted(active, active.generation in ours)

    async def _claim(self, batch: list[ActiveGeneration]) -> set[str]:
        """Generations that may run; one that comes back after its engine was lost is ours already."""
        ours = {active.generation for active in batch if active.claimed}
        fresh = [active.claim for active in batch if not active.claimed]
        return ours | await self._store.claim(fresh) if fresh else ours


class OutcomeWriter:
    """Writes checkpoints together and outcomes at once, one batch at a time.

    `running` lists what may need a checkpoint; `recorded` is called for each generation whose outcome was
    written, or whose row was erased meanwhile.
    """

    def __init__(
        self,
        store: Store,
        running: Callable[[], Iterable[ActiveGeneration]],
        recorded: Callable[[ActiveGeneration], None],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._running = running
        self._recorded = recorded
        self._clock = clock
        self._ended: list[ActiveGeneration] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def finish(self, active: ActiveGeneration) -> None:
        """Write its outcome at once, with whatever else is due."""
        self._ended.append(active)
        self._idle.clear()
        self._wake.set()

    async def flushed(self) -> None:
        """Wait until every outcome is written."""
        await self._idle.wait()

    async def run(self) -> None:
        """Until cancelled. Raises FencedError."""
        backoff = Backoff()
        while True:
            await self._due()
            try:
                await self._finish()
                await self._checkpoint()
            except FencedError:
                raise
            except Exception:
                log.exception("Writing answers failed; it is tried again")
                await backoff.sleep()
            else:
                backoff.reset()

    async def _due(self) -> None:
        if self._ended:
            return
        self._wake.clear()
        loop = asyncio.get_running_loop()
        timer = loop.call_later(GATHER_S, self._wake.set)
        await self._wake.wait()
        timer.cancel()

    async def _finish(self) -> None:
        batch = list(self._ended)
        if not batch:
            return
        held = await self._store.finish([active.outcome for active in batch if active.outcome])
        del self._ended[: len(batch)]
        for active in batch:
            active.outcome = held.get(active.generation, active.outcome)
            self._recorded(active)
        if not self._ended:
            self._idle.set()

    async def _checkpoint(self) -> None:
        now = self._clock()
        due = [
            active
            for active in self._running()
            if active.seq > active.checkpoint_seq and now >= active.checkpoint_due
        ]
        if not due:
            return
        answers = [active.answer for active in due]
        await self._store.checkpoint(answers)
        now = self._clock()
        for active, answer in zip(due, answers, strict=True):
            active.checkpoint_seq = answer.seq
            active.checkpoint_due = now + min(
                LONGEST_CHECKPOINT_S, CHECKPOINT_S + active.chars / CHARS_PER_SECOND
            )
