"""One followed stream of one socket: events as frames, paused where the page does not keep up.

All streams of a socket share its `SocketOutlet`: text waits until the network has taken what was sent before,
and one recorded answer is read at a time. So a socket that is not read costs one frame, whatever it follows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from uuid import UUID

from chatsite.generations.stream import follow
from chatsite.server.backpressure import PushProducer
from chatsite.streaming.frames import (
    DeltaFrame,
    FinishedFrame,
    QueuedFrame,
    ServerFrame,
    SnapshotFrame,
    StartedFrame,
)
from inference.stream_log.base import Delta, Event, Finished, Queued, Snapshot, Started, StreamStatus

Send = Callable[[ServerFrame], Awaitable[None]]

WINDOW_CHARS = 256 * 1024
"""Unacknowledged text at which a stream pauses: what is on its way to a page that does not keep up."""

PART_CHARS = 128 * 1024
"""Of one frame: as JSON, escapes and all, less than the 1 MiB that a message may have."""


class SocketOutlet:
    """Where the streams of one socket send their text, one frame at a time and as the network takes it."""

    def __init__(self, send: Send, producer: PushProducer) -> None:
        self._send = send
        self._producer = producer
        self._sending = asyncio.Lock()
        self.turn = asyncio.Lock()
        """Held by the stream that has a recorded answer in memory."""

    async def send(self, frame: ServerFrame) -> None:
        """Send a frame of text when there is room for it."""
        async with self._sending:
            await self._producer.wait_until_resumed()
            await self._send(frame)


class Follower:
    """Sends one generation's frames. `acknowledge(seq)` opens the window again."""

    def __init__(
        self, user_id: int, generation: UUID, after: int, outlet: SocketOutlet, *, fresh: bool = False
    ) -> None:
        """`after` and `fresh` are those of `follow`."""
        self._fresh = fresh
        self._user_id = user_id
        self._generation = generation
        self._after = after
        self._outlet = outlet
        self._send = outlet.send
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
        followed = follow(
            self._user_id, self._generation, self._after, fresh=self._fresh, turn=self._outlet.turn
        )
        async with aclosing(followed) as batches:
            async for batch in batches:
                for event in batch:
                    await self._send_event(event)
                if not self._room.is_set() and not isinstance(batch[-1], Finished):
                    await self._room.wait()

    async def _send_event(self, event: Event | StreamStatus) -> None:
        generation = self._generation
        match event:
            case Delta(seq, text, reasoning):
                self._after = seq
                self._sent(seq, len(text) + len(reasoning))
                await self._send(DeltaFrame(generation, seq, text, reasoning))
            case Snapshot(seq, text, reasoning):
                await self._send_snapshot(seq, text, reasoning)
            case Finished(seq, finish_reason, usage, message):
                await self._send(FinishedFrame(generation, seq, finish_reason, usage, message))
            case Queued(position, eta_s):
                await self._send(QueuedFrame(generation, position, eta_s))
            case Started():
                await self._send(StartedFrame(generation))

    async def _send_snapshot(self, seq: int, text: str, reasoning: str) -> None:
        """Send a recorded answer, a long one in parts: a snapshot, and deltas that follow it.

        The parts before the last have seqs that the log holds no longer: who comes back between two of them
        is behind it still, and gets all of the answer again.
        """
        parts = cut_text(text, reasoning, max(1, seq - self._after))
        for number, (piece, thought) in enumerate(parts, 1):
            at = seq if number == len(parts) else self._after + number
            self._sent(at, len(piece) + len(thought))
            frame = SnapshotFrame if number == 1 else DeltaFrame
            await self._send(frame(self._generation, at, piece, thought))
        self._after = seq

    def _sent(self, seq: int, chars: int) -> None:
        self._unacknowledged.append((seq, chars))
        self._outstanding += chars
        if self._outstanding >= WINDOW_CHARS:
            self._room.clear()


def cut_text(text: str, reasoning: str, most: int) -> list[tuple[str, str]]:
    """Pairs of text and reasoning, reasoning first, that joined give the whole: PART_CHARS each, but no
    more than `most` of them.
    """
    chars, before = len(text) + len(reasoning), len(reasoning)
    size = max(PART_CHARS, -(-chars // most))
    return [
        (text[max(0, at - before) : max(0, at + size - before)], reasoning[at : at + size])
        for at in range(0, max(1, chars), size)
    ]
