"""`POST /v1/chat/completions`: parse → submit → answer at once or as a stream."""

from __future__ import annotations

import time
from typing import Literal

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from msgspec import UNSET

from chatsite.accounts.models import ApiKey
from chatsite.openai_api.asked import chat_sampling, chat_turns, may_wait
from chatsite.openai_api.endpoint import answer, body, endpoint
from chatsite.openai_api.model_list import check_model
from chatsite.openai_api.rates import tell_rates
from chatsite.openai_api.run import Prompt, Run, start
from chatsite.openai_api.schemas import (
    ChatChoice,
    ChatChunk,
    ChatCompletion,
    ChatDelta,
    ChatMessageOut,
    ChatRequest,
    ChunkChoice,
    CompletionUsage,
    FinishReason,
)
from chatsite.openai_api.sse import data, streamed
from chatsite.openai_api.whole import read_whole, usage_of
from chatsite.wiring import board_store
from inference.board import current
from inference.stream_log.base import Delta, Finished

BATCH_HEADER = "X-Chatsite-Batch"
"""`1`: nobody sits in front of this request. For programs that cannot send the field `priority`."""

_decoder = msgspec.json.Decoder(ChatRequest)
_encode = msgspec.json.Encoder().encode


@endpoint("POST", ApiKey.Scope.CHAT)
async def chat_completions(request: HttpRequest, key: ApiKey) -> HttpResponseBase:
    """An answer to a message list."""
    asked = body(request, _decoder)
    board = await current(board_store())
    check_model(board, asked.model)
    batch = may_wait(asked, request.headers.get(BATCH_HEADER, ""))
    prompt = Prompt(chat_turns(asked.messages), chat_sampling(asked), bool(asked.store), batch)
    run = await start(key, board, prompt)
    shape = ChatShape(run, asked.model, "flex" if batch else "default")
    if asked.stream:
        usage = bool(asked.stream_options and asked.stream_options.include_usage)
        response: HttpResponseBase = await streamed(run, ChatChunks(shape, with_usage=usage))
    else:
        response = await _whole(run, shape)
    tell_rates(response, run)
    return response


class ChatShape:
    """What every piece of one answer says alike."""

    def __init__(self, run: Run, model: str, tier: Literal["default", "flex"]) -> None:
        self.id = f"chatcmpl-{run.generation.hex}"
        self.created = int(time.time())
        self.model = model
        self.tier: Literal["default", "flex"] = tier


class ChatChunks:
    """The stream's chunks. Head and tail are encoded once, so that a token costs its own text alone."""

    def __init__(self, shape: ChatShape, *, with_usage: bool) -> None:
        self._shape = shape
        self._with_usage = with_usage
        template = data(self._chunk(ChatDelta(content=_MARK)))
        self._head, self._tail = template.split(_encode(_MARK))

    def open(self) -> bytes:
        return data(self._chunk(ChatDelta(role="assistant", content="")))

    def piece(self, delta: Delta) -> bytes:
        if delta.reasoning:
            return data(self._chunk(ChatDelta(content=delta.text, reasoning_content=delta.reasoning)))
        return self._head + _encode(delta.text) + self._tail

    def close(self, finished: Finished) -> bytes:
        reason: FinishReason = finished.finish_reason  # type: ignore[assignment]
        last = data(self._chunk(ChatDelta(), reason))
        if not self._with_usage:
            return last
        return last + data(self._message((), usage_of(finished.usage)))

    def _chunk(self, delta: ChatDelta, finish_reason: FinishReason | None = None) -> ChatChunk:
        return self._message((ChunkChoice(0, delta, finish_reason),), None)

    def _message(self, choices: tuple[ChunkChoice, ...], usage: CompletionUsage | None) -> ChatChunk:
        shape = self._shape
        return ChatChunk(
            shape.id, "chat.completion.chunk", shape.created, shape.model, choices, shape.tier,
            usage if self._with_usage else UNSET,
        )  # fmt: skip


_MARK = "\ue000mark\ue000"
"""Stands for the text while head and tail of a chunk are made. Private characters: in no model's name."""


async def _whole(run: Run, shape: ChatShape) -> HttpResponse:
    text, reasoning, finished = await read_whole(run)
    reason: FinishReason = finished.finish_reason  # type: ignore[assignment]
    message = ChatMessageOut("assistant", text, reasoning_content=reasoning or UNSET)
    return answer(
        ChatCompletion(
            shape.id, "chat.completion", shape.created, shape.model,
            (ChatChoice(0, message, reason),), usage_of(finished.usage), shape.tier,
        )
    )  # fmt: skip
