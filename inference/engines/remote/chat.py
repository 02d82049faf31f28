"""The client side of /v1/chat/completions: the request body, and the chunks of the streamed answer.

The format is OpenAI's (https://platform.openai.com/docs/api-reference/chat-streaming) with vLLM's additions:
`priority` and `cache_salt` in the body, usage in every chunk (`continuous_usage_stats`), reasoning in the
delta. Unknown fields are ignored here: servers of other versions send more than is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from inference.engines.base import EngineFinish, EngineRequest
from inference.request import ChatMessage

ABORT = "abort"
"""vLLM's finish reason for a request that it aborted by itself, as when it shuts down."""

FINISH_REASONS: dict[str, EngineFinish] = {
    "stop": "stop", "length": "length", "tool_calls": "stop", ABORT: "cancelled",
}  # fmt: skip

DONE = b"[DONE]"


class ChunkDelta(msgspec.Struct):
    """New text of a choice. `reasoning` in today's vLLM, `reasoning_content` in older ones and in other
    servers."""

    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class TopLogprob(msgspec.Struct):
    token: str
    logprob: float


class ChunkLogprob(TopLogprob):
    top_logprobs: list[TopLogprob] = []


class ChunkLogprobs(msgspec.Struct):
    content: list[ChunkLogprob] | None = None


class ChunkChoice(msgspec.Struct):
    delta: ChunkDelta = msgspec.field(default_factory=ChunkDelta)
    finish_reason: str | None = None
    logprobs: ChunkLogprobs | None = None


class ChunkPromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class ChunkUsage(msgspec.Struct):
    """Totals up to this chunk. Details come with the last, if the server was started with them."""

    prompt_tokens: int = 0
    completion_tokens: int | None = None
    prompt_tokens_details: ChunkPromptDetails | None = None


class StreamError(msgspec.Struct):
    message: str = ""


class Chunk(msgspec.Struct):
    """One event of the stream; the last but [DONE] has usage and no choice."""

    choices: list[ChunkChoice] = []
    usage: ChunkUsage | None = None
    error: StreamError | None = None


_decoder = msgspec.json.Decoder(Chunk)


def chat_body(
    request: EngineRequest, model: str, messages: Sequence[ChatMessage], max_tokens: int, with_priority: bool
) -> bytes:
    """The request as JSON. Raises UnicodeEncodeError for text that is no valid Unicode."""
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "messages": list(messages),
        "max_tokens": max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
    }
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.stop:
        body["stop"] = sampling.stop
    if sampling.ignore_eos:
        body["ignore_eos"] = True
    if sampling.json_schema is not None:
        json_schema = {"name": "answer", "schema": sampling.json_schema}
        body["response_format"] = {"type": "json_schema", "json_schema": json_schema}
    if sampling.logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": sampling.logprobs}
    if request.cache_salt:
        body["cache_salt"] = request.cache_salt
    if with_priority:
        body["priority"] = request.priority
    return msgspec.json.encode(body)


class EventStream:
    """Splits a response's bytes into server-sent events
    (https://html.spec.whatwg.org/#server-sent-events)."""

    def __init__(self) -> None:
        self._tail = b""
        self.done = False
        """Whether [DONE] has come."""

    def feed(self, data: bytes) -> list[Chunk]:
        """The chunks that are complete with this data. Raises msgspec.DecodeError for what is none."""
        *lines, self._tail = (self._tail + data).split(b"\n")
        chunks = []
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            payload = line[5:].strip()
            if payload == DONE:
                self.done = True
            else:
                chunks.append(_decoder.decode(payload))
        return chunks
