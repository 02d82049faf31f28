"""Sending something large as fast as its reader takes it. Daphne itself would hold all of it in memory.

Daphne hands every part of a response to Twisted at once, and Twisted keeps what the network does not take.
Its connection tells a registered producer when enough is kept and when there is room again; `WithRoom`
puts a function into the scope that waits for that room (docs/decisions/0070-exports-are-jobs.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

CHUNK_BYTES = 256 * 1024
"""Read and sent at once: what one slow reader may occupy, about twice."""

Room = Callable[[], Awaitable[None]]


class Producer:
    """What Twisted calls a streaming producer (IPushProducer): told to pause and to go on."""

    def __init__(self) -> None:
        self._going = asyncio.Event()
        self._going.set()

    def pauseProducing(self) -> None:
        self._going.clear()

    def resumeProducing(self) -> None:
        self._going.set()

    def stopProducing(self) -> None:
        self._going.set()

    async def room(self) -> None:
        await self._going.wait()


class WithRoom:
    """Gives the application the server's request, so that a streamed response can ask for room."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        # Daphne's `send` is partial(Server.handle_reply, <its twisted.web Request>).
        request = next(iter(getattr(send, "args", ())), None)
        if hasattr(request, "registerProducer"):
            scope = {**scope, "daphne_request": request}
        await self._application(scope, receive, send)


def file_response(request: HttpRequest, path: Path, name: str, media_type: str) -> StreamingHttpResponse:
    """The file to be saved under `name`, as fast as its reader takes it; kept by no cache."""
    response = parts_response(request, _parts_of(path), name, media_type)
    response["Content-Length"] = path.stat().st_size
    return response


def parts_response(
    request: HttpRequest, parts: AsyncGenerator[bytes], name: str, media_type: str
) -> StreamingHttpResponse:
    """The same of parts that are made on the way; each should be of about CHUNK_BYTES."""
    response = StreamingHttpResponse(
        as_room_is_made(parts, getattr(request, "scope", {})), content_type=media_type
    )
    save_as(response, name)
    return response


def save_as(response: HttpResponseBase, name: str) -> None:
    """The browser saves it under this name, shows nothing of it, and no cache keeps it."""
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Cache-Control"] = "no-store"


async def as_room_is_made(parts: AsyncGenerator[bytes], scope: dict[str, Any]) -> AsyncGenerator[bytes]:
    """Each part when there is room for it; none is made before."""
    request = scope.get("daphne_request")
    producer = Producer()
    if request is not None:
        request.registerProducer(producer, True)
    try:
        async with aclosing(parts):
            async for part in parts:
                yield part
                await producer.room()
    finally:
        if request is not None and request.channel is not None:
            request.unregisterProducer()


async def _parts_of(path: Path) -> AsyncGenerator[bytes]:
    with path.open("rb") as file:
        while part := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield part
