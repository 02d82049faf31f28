"""A stand-in for the network: an HTTP server that says what a test has it say, in vLLM's format."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

from tests.support.waiting import PATIENCE_S

HELD_S = 2 * PATIENCE_S
"""Longer than any test waits: an answer that does not come."""


class ScriptedServer:
    """Answers each chat with `words`, one chunk each; `hold_after` chunks it waits until it is stopped.

    `bodies` are the chats it was asked, `left` how many of them the client left early. Without `usage` it
    says nothing of tokens; `finish` is how it says that an answer ends; `refusal` is (status, message) in
    place of an answer, `refuses_all` of anything; `failing` are routes that fail.
    """

    def __init__(self, words: tuple[str, ...] = ("one", " two", " three"), model: str = "small") -> None:
        self.words = words
        self.model = model
        self.hold_after: int | None = None
        self.usage = True
        self.finish = "stop"
        self.refusal: tuple[int, str] | None = None
        self.refuses_all: tuple[int, str] | None = None
        self.refuses_priority = False
        self.routes: dict[str, Any] = {"/health": "", "/tokenize": {"count": 7}}
        self.failing: set[str] = set()
        self.context: int | None = 4096
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[str] = []
        self.left = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> ScriptedServer:
        """Listen; after a stop, on the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Gone in the middle of whatever it says."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode()
                    self.headers.append(head)
                    await self._respond(head, reader, writer)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _respond(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = next((line for line in head.lower().splitlines() if line.startswith("content-length")), ":0")
        body = await reader.readexactly(int(length.partition(":")[2]))
        path = head.split()[1]
        if self.refuses_all:
            status, message = self.refuses_all
            say(writer, status, {"error": {"message": message}})
        elif path in self.failing:
            say(writer, 500, "broken")
        elif path == "/v1/chat/completions":
            asked = json.loads(body)
            self.bodies.append(asked)
            refusal = (400, "priority is not enabled") if self.refuses_priority else self.refusal
            if refusal and not (self.refuses_priority and "priority" not in asked):
                status, message = refusal
                say(writer, status, {"error": {"message": message}})
            else:
                await self._stream(reader, writer)
        elif path == "/v1/models":
            say(writer, 200, {"data": [{"id": self.model, "max_model_len": self.context}]})
        else:
            found = self.routes.get(path)
            say(writer, 404 if found is None else 200, found)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        for number, word in enumerate(self.words):
            if number == self.hold_after:
                await self._hold(reader)
            choice: dict[str, Any] = {"delta": {"content": word}}
            if top := self.bodies[-1].get("top_logprobs"):
                likely = [{"token": word.upper(), "logprob": -0.5 - n, "bytes": [1]} for n in range(top)]
                drawn = {"token": word, "logprob": -1.25, "bytes": None, "top_logprobs": likely}
                choice["logprobs"] = {"content": [drawn]}
            if number == len(self.words) - 1:
                choice["finish_reason"] = self.finish
            event = {"choices": [choice]}
            if self.usage:
                event |= {"usage": {"prompt_tokens": 7, "completion_tokens": number + 1}}
            writer.write(b"data: " + json.dumps(event).encode() + b"\n\n")
            await writer.drain()
        last = {"prompt_tokens": 7, "completion_tokens": len(self.words)}
        last |= {"prompt_tokens_details": {"cached_tokens": 5}}
        writer.write(
            b"data: " + json.dumps({"choices": [], "usage": last}).encode() + b"\n\ndata: [DONE]\n\n"
        )
        await writer.drain()
        writer.close()

    async def _hold(self, reader: asyncio.StreamReader) -> None:
        async with asyncio.timeout(HELD_S):
            gone = not await reader.read(1)
        self.left += gone
        raise ConnectionResetError


def say(writer: asyncio.StreamWriter, status: int, content: Any) -> None:
    payload = content.encode() if isinstance(content, str) else json.dumps(content).encode()
    writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(payload)}\r\n\r\n".encode() + payload)
