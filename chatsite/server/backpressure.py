"""Backpressure: responses and frames are sent as their reader takes them, not buffered by Daphne.

Daphne hands every part of a response to Twisted at once, and Twisted keeps what the network does not take.
Its connection tells a registered producer when enough is kept and when there is room again.
`BackpressureMiddleware` registers one for each response of several parts, `outlet_of` finds the one of a
websocket (docs/decisions/0070-exports-are-jobs.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

CHUNK_BYTES = 256 * 1024
"""Bytes read and sent at once. One slow reader occupies about twice as much memory."""


class PushProducer:
    """Twisted's IPushProducer: the connection pauses and resumes it."""

    def __init__(self) -> None:
        self._going = asyncio.Event()
        self._going.set()

    def pauseProducing(self) -> None:
        self._going.clear()

    def resumeProducing(self) -> None:
        self._going.set()

    def stopProducing(self) -> None:
        self._going.set()

    @property
    def paused(self) -> bool:
        return not self._going.is_set()

    async def wait_until_resumed(self) -> None:
        await self._going.wait()


class BackpressureMiddleware:
    """ASGI middleware: every part of a response but the last waits until the connection takes it.

    Django sends a body in parts of 64 KiB. Streams at `/v1` are left out: their text is bounded, and an
    answer goes on while its reader does not.
    """

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        request = _protocol_of(send)
        if not hasattr(request, "registerProducer") or scope["path"].startswith("/v1/"):
            await self._application(scope, receive, send)
            return
        paced = _PacedResponse(request, send)
        try:
            await self._application(scope, receive, paced.send)
        finally:
            paced.close()


class _PacedResponse:
    """One response over one connection."""

    def __init__(self, request: Any, send: Any) -> None:
        self._request = request
        self._send = send
        self._producer: PushProducer | None = None

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] != "http.response.body" or not message.get("more_body"):
            self.close()
            await self._send(message)
            return
        if self._producer is None and self._request.channel is not None:
            self._producer = PushProducer()
            self._request.registerProducer(self._producer, True)
        await self._send(message)
        if self._producer is not None:
            await self._producer.wait_until_resumed()

    def close(self) -> None:
        if self._producer is not None and self._request.channel is not None:
            self._request.unregisterProducer()
        self._producer = None


def outlet_of(send: Any) -> PushProducer:
    """The producer of the websocket that Daphne's `send` belongs to; one that never waits in tests."""
    outlet = getattr(_protocol_of(send), "outlet", None)
    return outlet if isinstance(outlet, PushProducer) else PushProducer()


def _protocol_of(send: Any) -> Any:
    """Daphne's `send` is partial(Server.handle_reply, <its request or websocket>)."""
    return next(iter(getattr(send, "args", ())), None)


def file_response(path: Path, name: str, media_type: str) -> StreamingHttpResponse:
    """A download of a file under `name`, with backpressure; not cached."""
    response = stream_response(_parts_of(path), name, media_type)
    response["Content-Length"] = path.stat().st_size
    return response


def stream_response(parts: AsyncGenerator[bytes], name: str, media_type: str) -> StreamingHttpResponse:
    """A download of parts that are generated, each of about CHUNK_BYTES."""
    response = StreamingHttpResponse(parts, content_type=media_type)
    save_as(response, name)
    return response


def save_as(response: HttpResponseBase, name: str) -> None:
    """Headers that make a browser save the response under this name, and no cache keep it."""
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Cache-Control"] = "no-store"


async def _parts_of(path: Path) -> AsyncGenerator[bytes]:
    with path.open("rb") as file:
        while part := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield part
