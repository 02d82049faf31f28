"""The protocol between the engine host and its parent: msgpack frames behind a 4-byte length.

The two ends are one process and its child of the same code, so the frames carry no version. They talk over
a socket pair that the child inherits: it has no name, so nobody else on the machine can connect to it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import TypeVar

import msgspec

from inference.engines.base import EngineInfo, EngineRequest, Step
from inference.model_store.source import ModelSource
from inference.request import ChatMessage

LENGTH = struct.Struct(">I")

MAX_FRAME = 256 * 1024 * 1024
"""Far above any prompt or step: a longer frame means that the stream is corrupt."""


class BuildEngine(msgspec.Struct, frozen=True, tag="build_engine"):
    """The files of `model` are ready: build the engine. Until then the host has been importing vLLM."""

    model: ModelSource


class Add(msgspec.Struct, frozen=True, tag="add"):
    """Compute this request; its outputs come with the steps."""

    request: EngineRequest


class Abort(msgspec.Struct, frozen=True, tag="abort"):
    """Stop these requests; unknown ids are ignored."""

    ids: tuple[str, ...]


class CountTokens(msgspec.Struct, frozen=True, tag="count_tokens"):
    """Count the prompt tokens of these messages; answered by a TokenCount with the same `ref`."""

    ref: int
    messages: tuple[ChatMessage, ...]


class Close(msgspec.Struct, frozen=True, tag="close"):
    """Shut the engine down, then the process."""


Command = BuildEngine | Add | Abort | CountTokens | Close


class Starting(msgspec.Struct, frozen=True, tag="starting"):
    """Progress while the host starts."""

    phase: str


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The engine is started."""

    info: EngineInfo


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The engine could not start; the process ends after this."""

    message: str


class StepDone(msgspec.Struct, frozen=True, tag="step_done"):
    """One engine step, with the new outputs of all requests."""

    step: Step


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat"):
    """Sent while a step is due and none ends. `cpu_time_s`: what the engine's processes have used or waited
    for."""

    cpu_time_s: float | None


class TokenCount(msgspec.Struct, frozen=True, tag="token_count", omit_defaults=True):
    """The answer to a CountTokens: `tokens`, or the `error` that rendering ended with."""

    ref: int
    tokens: int = 0
    error: str = ""


Event = Starting | Ready | Failed | StepDone | Heartbeat | TokenCount

Frame = TypeVar("Frame")


def pack(frame: Command | Event) -> bytes:
    """The frame as it goes over the socket, length first."""
    payload = msgspec.msgpack.encode(frame)
    return LENGTH.pack(len(payload)) + payload


def receive(connection: socket.socket) -> bytes:
    """One frame from a blocking socket, without its length. Raises EOFError when the other end is gone."""
    (size,) = LENGTH.unpack(_receive_exactly(connection, LENGTH.size))
    return _receive_exactly(connection, size)


def _receive_exactly(connection: socket.socket, size: int) -> bytes:
    data = connection.recv(size, socket.MSG_WAITALL)
    if len(data) < size:
        raise EOFError("The engine host's parent is gone.")
    return data


class FrameProtocol(asyncio.Protocol):
    """Splits the byte stream into frames and passes each to a plain function: no task, no extra wake-up."""

    def __init__(
        self,
        decoder: msgspec.msgpack.Decoder[Frame],
        on_frame: Callable[[Frame], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._decode = decoder.decode
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) - start >= LENGTH.size:
            (size,) = LENGTH.unpack_from(buffer, start)
            if size > MAX_FRAME:
                raise ValueError(f"A frame of {size} bytes: the limit is {MAX_FRAME}.")
            end = start + LENGTH.size + size
            if len(buffer) < end:
                break
            frame = self._decode(memoryview(buffer)[start + LENGTH.size : end].tobytes())
            start = end
            self._on_frame(frame)
        if start:
            del buffer[:start]

    def connection_lost(self, error: Exception | None) -> None:
        self._on_lost()

    def send(self, frame: Command | Event) -> None:
        """Queue the frame for writing. A frame for a connection that is gone is dropped."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(pack(frame))

    def close(self) -> None:
        """Close the socket after what is queued has been written."""
        if self._transport is not None:
            self._transport.close()
