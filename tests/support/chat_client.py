"""One person at the socket: asks, reads the stream, notes when everything came.

Times are perf_counter seconds of the load process. What was received is judged by the caller
against what the site stored: `text` here is built from the frames alone.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any
from uuid import UUID, uuid4

import msgspec

from chatsite.streaming import frames
from inference.request import Usage
from tests.support.waiting import PATIENCE_S
from tests.support.websocket import WebSocket, connect

PATH = "/ws/chat/"
ACKNOWLEDGE_EVERY_CHARS = 32 * 1024
"""As the page does: a `follow` well before the server's window of unacknowledged text is full."""

_decoder = msgspec.json.Decoder(frames.ServerFrames)
_encode = msgspec.json.Encoder().encode


class Stream(msgspec.Struct):
    """What happened to one request. `arrivals` holds (time, seq, characters) of every delta.

    `disorder` counts frames whose seq did not grow; `failure` is empty for a finished answer.
    """

    person: int
    sent: float
    accepted: float | None = None
    started: float | None = None
    finished: float | None = None
    position: int | None = None
    arrivals: list[tuple[float, int, int]] = msgspec.field(default_factory=list)
    text: str = ""
    seq: int = 0
    disorder: int = 0
    generation: str = ""
    conversation: str = ""
    answer: str = ""
    finish_reason: str = ""
    usage: Usage | None = None
    failure: str = ""

    @property
    def ttft_s(self) -> float | None:
        """Send to first text."""
        return self.arrivals[0][0] - self.sent if self.arrivals else None


class Person:
    """A signed-in person with one open socket."""

    def __init__(self, number: int, host: str, port: int, cookie: str) -> None:
        self.number = number
        self._address = (host, port, PATH, cookie)
        self._socket: WebSocket | None = None
        self._asked: dict[UUID, tuple[Stream, asyncio.Future[Stream]]] = {}
        self._streams: dict[UUID, tuple[Stream, asyncio.Future[Stream]]] = {}
        self._parts: dict[UUID, list[str]] = {}
        self._unacknowledged: dict[UUID, int] = {}
        self.hello: asyncio.Future[frames.Hello] = asyncio.get_running_loop().create_future()

    async def connect(self) -> None:
        """Open the socket and wait for its first frame."""
        self._socket = await connect(*self._address, self._take)
        await asyncio.wait_for(self.hello, timeout=PATIENCE_S)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def ask(
        self,
        content: str,
        max_tokens: int | None = None,
        conversation: UUID | None = None,
        parent: UUID | None = None,
        **params: Any,
    ) -> asyncio.Future[Stream]:
        """Submit a message now; the future gives the finished, refused or lost stream."""
        assert self._socket is not None
        done: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()
        submit = frames.Submit(
            id=uuid4(),
            content=content,
            conversation=conversation,
            parent=parent,
            params=frames.Params(max_tokens=max_tokens, **params),
        )
        payload = _encode(submit)
        stream = Stream(self.number, perf_counter())
        self._asked[submit.id] = (stream, done)
        self._socket.send(payload)
        self._socket.closed.add_done_callback(lambda closed: self._lost(stream, done, closed.result()))
        return done

    def _take(self, payload: bytes, at: float) -> None:
        frame = _decoder.decode(payload)
        match frame:
            case frames.DeltaFrame():
                self._delta(frame, at)
            case frames.SnapshotFrame():
                self._snapshot(frame, at)
            case frames.FinishedFrame():
                self._finish(frame, at)
            case frames.Accepted():
                stream, done = self._asked.pop(frame.id)
                stream.accepted, stream.generation = at, str(frame.generation)
                stream.conversation, stream.answer = str(frame.conversation), str(frame.answer)
                self._streams[frame.generation] = (stream, done)
                self._parts[frame.generation] = []
            case frames.QueuedFrame() if frame.generation in self._streams:
                self._streams[frame.generation][0].position = frame.position
            case frames.StartedFrame() if frame.generation in self._streams:
                self._streams[frame.generation][0].started = at
            case frames.Rejected():
                stream, done = self._asked.pop(frame.id)
                self._fail(stream, done, f"rejected: {frame.code}: {frame.message}")
            case frames.Error():
                for stream, done in (*self._asked.values(), *self._streams.values()):
                    self._fail(stream, done, f"error: {frame.code}: {frame.message}")
            case frames.Hello() if not self.hello.done():
                self.hello.set_result(frame)

    def _delta(self, frame: frames.DeltaFrame, at: float) -> None:
        if frame.generation not in self._streams:
            return
        stream, _ = self._streams[frame.generation]
        stream.disorder += frame.seq <= stream.seq
        stream.seq = frame.seq
        stream.arrivals.append((at, frame.seq, len(frame.text)))
        self._parts[frame.generation].append(frame.text)
        self._acknowledge(frame.generation, stream, len(frame.text))

    def _snapshot(self, frame: frames.SnapshotFrame, at: float) -> None:
        if frame.generation not in self._streams:
            return
        stream, _ = self._streams[frame.generation]
        stream.disorder += frame.seq < stream.seq
        stream.seq = frame.seq
        stream.arrivals.append((at, frame.seq, len(frame.text)))
        self._parts[frame.generation] = [frame.text]

    def _acknowledge(self, generation: UUID, stream: Stream, chars: int) -> None:
        waiting = self._unacknowledged.get(generation, 0) + chars
        if waiting >= ACKNOWLEDGE_EVERY_CHARS and self._socket is not None:
            self._socket.send(_encode(frames.Follow(generation=generation, after=stream.seq)))
            waiting = 0
        self._unacknowledged[generation] = waiting

    def _finish(self, frame: frames.FinishedFrame, at: float) -> None:
        if frame.generation not in self._streams:
            return
        stream, done = self._streams.pop(frame.generation)
        stream.finished, stream.usage, stream.finish_reason = at, frame.usage, frame.finish_reason
        stream.disorder += frame.seq <= stream.seq
        stream.text = "".join(self._parts.pop(frame.generation))
        if frame.finish_reason not in ("stop", "length"):
            stream.failure = f"{frame.finish_reason}: {frame.message}"
        if not done.done():
            done.set_result(stream)

    def _fail(self, stream: Stream, done: asyncio.Future[Stream], why: str) -> None:
        stream.failure = why
        if not done.done():
            done.set_result(stream)

    def _lost(self, stream: Stream, done: asyncio.Future[Stream], code: int) -> None:
        if not done.done():
            self._fail(stream, done, f"socket closed with {code}")
