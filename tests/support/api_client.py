"""One program at `/v1/chat/completions`: asks, reads the event stream, notes when everything came.

The counterpart of `tests.support.chat_client.Person` over HTTP: one connection, one request at a time on it.
The load client shares two cores with what it measures, so it speaks just enough of HTTP/1.1 by itself.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from uuid import UUID

import msgspec

from inference.request import Usage
from tests.support.chat_client import Stream

PATH = "/v1/chat/completions"
DATA, END = b"data: ", b"\n\n"


class _Delta(msgspec.Struct):
    content: str = ""


class _Choice(msgspec.Struct):
    delta: _Delta
    finish_reason: str | None = None


class _Details(msgspec.Struct):
    cached_tokens: int = 0


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: _Details


class _Event(msgspec.Struct):
    """What is looked at of a chunk, or of an error."""

    id: str = ""
    choices: tuple[_Choice, ...] = ()
    usage: _Usage | None = None
    error: dict[str, str | None] | None = None


_decode = msgspec.json.Decoder(_Event).decode
_encode = msgspec.json.Encoder().encode


class Program(asyncio.Protocol):
    """A key's holder with one open connection."""

    def __init__(self, number: int, host: str, port: int, key: str, model: str) -> None:
        self.number = number
        self._address = (host, port)
        self._key = key
        self._model = model
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._events = bytearray()
        self._head = b""
        self._parts: list[str] = []
        self._asked: tuple[Stream, asyncio.Future[Stream]] | None = None

    async def connect(self) -> None:
        """Open the connection."""
        host, port = self._address
        self._transport, _ = await asyncio.get_running_loop().create_connection(lambda: self, host, port)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def ask(
        self, content: str, max_tokens: int | None = None, *, temperature: float | None = None
    ) -> asyncio.Future[Stream]:
        """Send a question now; the future gives the finished, refused or lost stream."""
        assert self._transport is not None
        assert self._asked is None, "one request at a time"
        body = _encode(
            {
                "model": self._model,
                "messages": [{"role": "user", "content": content}],
                "stream": True,
                "stream_options": {"include_usage": True},
                "max_tokens": max_tokens,
                "temperature": temperature,
            }
        )
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: {self._address[0]}:{self._address[1]}\r\n"
            f"Authorization: Bearer {self._key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        done: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()
        self._head, self._parts = b"", []
        self._asked = (Stream(self.number, perf_counter()), done)
        self._transport.write(head.encode() + body)
        return done

    # --- what comes ---------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        at = perf_counter()
        self._buffer += data
        if not self._head:
            head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not found:
                return
            self._head, self._buffer = head.lower(), bytearray(rest)
        if b"transfer-encoding: chunked" in self._head:
            self._read_chunks(at)
        else:
            self._read_refusal(at)

    def connection_lost(self, error: Exception | None) -> None:
        self._end("the connection was closed")

    def _read_chunks(self, at: float) -> None:
        """Every whole chunk of the transfer coding (RFC 9112, 7.1)."""
        buffer, start = self._buffer, 0
        while (line := buffer.find(b"\r\n", start)) >= 0:
            size = int(buffer[start:line], 16)
            if len(buffer) < line + size + 4:
                break
            self._events += buffer[line + 2 : line + 2 + size]
            start = line + size + 4
        del buffer[:start]
        self._read_events(at)

    def _read_events(self, at: float) -> None:
        *events, rest = bytes(self._events).split(END)
        self._events = bytearray(rest)
        for event in events:
            if event == b"data: [DONE]":
                self._end("")
            elif event.startswith(DATA):
                self._take(_decode(event[len(DATA) :]), at)

    def _take(self, event: _Event, at: float) -> None:
        if self._asked is None:
            return
        stream, _ = self._asked
        if event.error is not None:
            self._end(f"error: {event.error.get('code')}: {event.error.get('message')}")
        if not stream.generation:
            stream.accepted = stream.started = at
            stream.generation = str(UUID(event.id.removeprefix("chatcmpl-")))
        for choice in event.choices:
            if choice.delta.content:
                stream.seq += 1
                stream.arrivals.append((at, stream.seq, len(choice.delta.content)))
                self._parts.append(choice.delta.content)
            if choice.finish_reason:
                stream.finish_reason, stream.finished = choice.finish_reason, at
        if event.usage is not None:
            used = event.usage
            cached = used.prompt_tokens_details.cached_tokens
            stream.usage = Usage(used.prompt_tokens, cached, used.completion_tokens)

    def _read_refusal(self, at: float) -> None:
        """A status other than 200 has its body in one piece."""
        _, _, after = self._head.partition(b"content-length: ")
        if len(self._buffer) >= int(after.split(b"\r\n")[0] or 0):
            self._end(
                f"rejected: {self._head.split(b' ')[1].decode()}: {self._buffer.decode(errors='replace')}"
            )
            self._buffer.clear()

    def _end(self, failure: str) -> None:
        if self._asked is None:
            return
        (stream, done), self._asked = self._asked, None
        stream.text, stream.failure = "".join(self._parts), failure
        if not done.done():
            done.set_result(stream)
