"""Server-sent events: one `data:` line per piece, `[DONE]` at the end, comments while there is silence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec
from django.http import StreamingHttpResponse

from chatsite.openai_api.api_generation import ApiGeneration
from chatsite.openai_api.errors import error_of_ending
from inference.stream_log.base import Delta, Finished

ANSWER_WITHIN_S = 5.0
"""How long the status line waits for the first token, so that a refusal by the engine gets its own status."""

COMMENT_EVERY_S = 15.0
"""While a request is queued: proxies give up on a connection that is silent for a minute."""

DONE = b"data: [DONE]\n\n"
COMMENT = b": waiting\n\n"

_encode = msgspec.json.Encoder().encode


class ChunkMaker(Protocol):
    """How one endpoint writes its stream."""

    def open(self) -> bytes:
        """What comes before all text."""

    def piece(self, delta: Delta) -> bytes:
        """Some text."""

    def close(self, finished: Finished) -> bytes:
        """The finish reason and, where asked for, the usage."""


def sse_data(content: object) -> bytes:
    """One event."""
    return b"data: " + _encode(content) + b"\n\n"


async def streaming_response(run: ApiGeneration, chunks: ChunkMaker) -> StreamingHttpResponse:
    """The answer as a stream. Raises ApiError where it failed before its first text."""
    first = await run.first(ANSWER_WITHIN_S)
    if first.done() and run.reader.finished is not None and (error := error_of_ending(run.reader.finished)):
        raise error
    response = StreamingHttpResponse(_stream(run, chunks), content_type="text/event-stream")
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"
    return response


async def _stream(run: ApiGeneration, chunks: ChunkMaker) -> AsyncIterator[bytes]:
    """Cut off by the server when the client goes: the run ends with its request, not here."""
    first = await run.first(0)
    while not first.done():
        yield COMMENT
        first = await run.first(COMMENT_EVERY_S)
    head = chunks.open()
    if delta := first.result():
        yield head + chunks.piece(delta)
        head = b""
        async for delta in run.deltas:
            yield chunks.piece(delta)
    finished = run.reader.finished
    assert finished is not None
    if error := error_of_ending(finished):
        # Too late for a status: the clients raise on an `error` event.
        yield b"data: " + error.body + b"\n\n"
        return
    yield head + chunks.close(finished) + DONE
