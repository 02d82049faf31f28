"""One followed stream of one socket: from a cursor to the end, never over a gap."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from uuid import UUID

from chatsite.database import read
from chatsite.generations.access import access_generation
from chatsite.generations.models import ACTIVE, Generation
from chatsite.patience import Patience
from chatsite.streaming.frames import (
    DeltaFrame,
    FinishedFrame,
    QueuedFrame,
    ServerFrame,
    SnapshotFrame,
    StartedFrame,
)
from chatsite.wiring import stream_log
from inference.request import FinishReason, Usage
from inference.stream_log.base import Delta, Event, Finished, GapError, Notice, Queued, Snapshot, Started
from inference.stream_log.merge import merge

Send = Callable[[ServerFrame], Awaitable[None]]

WINDOW_CHARS = 256 * 1024
"""Unacknowledged text at which a stream pauses: Daphne has no back-pressure, so memory is bounded here."""

GAP_RETRY_S = 0.25
"""How soon the row is read again when it does not reach the log yet; checkpoints come every second."""


RECHECK_S = 15.0
"""A stream silent for this long is looked up in its row: an end that the log lost is an end."""


class Follower:
    """Sends one generation's frames. `acknowledge(seq)` opens the window again."""

    def __init__(
        self, user_id: int, generation: UUID, after: int, send: Send, *, fresh: bool = False
    ) -> None:
        """`fresh`: this person has just asked it, so that its row need not be read to know so."""
        self._fresh = fresh
        self._user_id = user_id
        self._generation = generation
        self._after = after
        self._send = send
        self._unacknowledged: deque[tuple[int, int]] = deque()
        self._outstanding = 0
        self._room = asyncio.Event()
        self._room.set()

    def acknowledge(self, seq: int) -> None:
        """The reader holds everything up to `seq`."""
        while self._unacknowledged and self._unacknowledged[0][0] <= seq:
            self._outstanding -= self._unacknowledged.popleft()[1]
        if self._outstanding < WINDOW_CHARS:
            self._room.set()

    async def run(self) -> None:
        """Until the generation has ended. Raises Refusal `not_found` where there is none to see."""
        if self._fresh and await self._streamed():
            return
        while True:
            job = await read(access_generation, self._user_id, self._generation)
            if job.status not in ACTIVE:
                await self._send_ended(job)
                return
            try:
                if await self._stream():
                    return
            except GapError:
                await self._send_recorded(job)

    async def _streamed(self) -> bool:
        """The log alone, for a start; False where it lost something."""
        try:
            return await self._stream()
        except GapError:
            return False

    async def _stream(self) -> bool:
        """Follow the log; True when the stream has ended, False to look at the row again."""
        batches = stream_log().follow(str(self._generation), self._after)
        patience = Patience(RECHECK_S)
        try:
            while batch := await patience.wait(anext(batches, None)):
                for event in merge(batch):
                    if isinstance(event, Finished) and event.seq != self._after + 1:
                        return False  # what was recorded is not what was sent: the row decides
                    await self._send_event(event)
                    if isinstance(event, Finished):
                        return True
                if not self._room.is_set():
                    await self._room.wait()
        except TimeoutError:
            pass
        finally:
            patience.close()
            await batches.aclose()
        return False

    async def _send_event(self, event: Event | Notice) -> None:
        generation = self._generation
        match event:
            case Delta(seq, text, reasoning):
                self._sent(seq, len(text) + len(reasoning))
                await self._send(DeltaFrame(generation, seq, text, reasoning))
            case Snapshot(seq, text, reasoning):
                self._sent(seq, len(text) + len(reasoning))
                await self._send(SnapshotFrame(generation, seq, text, reasoning))
            case Finished(seq, finish_reason, usage, message):
                await self._send(FinishedFrame(generation, seq, finish_reason, usage, message))
            case Queued(position, eta_s):
                await self._send(QueuedFrame(generation, position, eta_s))
            case Started():
                await self._send(StartedFrame(generation))

    def _sent(self, seq: int, chars: int) -> None:
        self._after = seq
        self._unacknowledged.append((seq, chars))
        self._outstanding += chars
        if self._outstanding >= WINDOW_CHARS:
            self._room.clear()

    async def _send_recorded(self, job: Generation) -> None:
        """The row's text, where it is ahead of the cursor; else wait for the next checkpoint."""
        if job.seq <= self._after:
            await asyncio.sleep(GAP_RETRY_S)
            return
        await self._send_event(Snapshot(job.seq, job.answer.content, job.answer.reasoning))
        await self._room.wait()

    async def _send_ended(self, job: Generation) -> None:
        """The end; before it the recorded text where the reader holds less, or more than was kept."""
        if job.seq != self._after:
            await self._send_event(Snapshot(job.seq, job.answer.content, job.answer.reasoning))
        await self._send(finished_frame(job))


def finished_frame(job: Generation) -> FinishedFrame:
    """The last frame of a generation whose row has ended."""
    reason: FinishReason = job.finish_reason  # type: ignore[assignment]
    return FinishedFrame(job.id, job.seq + 1, reason, Usage(**job.usage), job.message)
