"""`POST /v1/chat/completions`: parse → submit → answer at once or as a stream."""

from __future__ import annotations

import time
from typing import Literal

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from msgspec import UNSET, UnsetType

from chatsite.accounts.models import ApiKey
from chatsite.address import address_of_request
from chatsite.openai_api.asked import BATCH_HEADER, chat_sampling, chat_turns, may_wait
from chatsite.openai_api.endpoint import answer, body, endpoint
from chatsite.openai_api.logprobs import chat_logprobs
from chatsite.openai_api.model_list import check_model
from chatsite.openai_api.rates import tell_rates
from chatsite.openai_api.run import Prompt, Run, start
from chatsite.openai_api.schemas import (
    ChatChoice,
    ChatChunk,
    ChatCompletion,
    ChatDelta,
    ChatLogprobs,
    ChatMessageOut,
    ChatRequest,
    ChunkChoice,
    CompletionUsage,
    FinishReason,
)
from chatsite.openai_api.sse import data, streamed
from chatsite.openai_api.whole import read_whole, reason_of, usage_of
from chatsite.wiring import board_store
from inference.board import current
from inference.stream_log.base import Delta, Finished

Tier = Literal["default", "flex"]

MARK = "\ue000mark\ue000"
"""Stands for the text while head and tail of a chunk are made. Private characters: in no model's name."""

_decoder = msgspec.json.Decoder(ChatRequest)
_encode = msgspec.json.Encoder().encode


@endpoint("POST", ApiKey.Scope.CHAT)
async def chat_completions(request: HttpRequest, key: ApiKey) -> HttpResponseBase:
    """An answer to a message list."""
    asked = body(request, _decoder)
    board = await current(board_store())
    check_model(board, asked.model)
    batch = may_wait(asked, request.headers.get(BATCH_HEADER, ""))
    sampling = chat_sampling(asked, board)
    prompt = Prompt(
        chat_turns(asked.messages), sampling, bool(asked.store), batch, address_of_request(request)
    )
    run = await start(key, board, prompt)
    told = ChatAnswer(
        run, asked.model, "flex" if batch else "default",
        with_usage=bool(asked.stream_options and asked.stream_options.include_usage),
    )  # fmt: skip
    response: HttpResponseBase = await (streamed(run, told) if asked.stream else told.whole())
    tell_rates(response, run)
    return response


class ChatAnswer:
    """One answer in OpenAI's words: its chunks, or the whole of it."""

    def __init__(self, run: Run, model: str, tier: Tier, *, with_usage: bool) -> None:
        self._run = run
        self._id = f"chatcmpl-{run.generation.hex}"
        self._created = int(time.time())
        self._model = model
        self._tier: Tier = tier
        self._usage: UnsetType | None = None if with_usage else UNSET
        # Encoded once, so that a token costs its own text alone.
        self._head, self._tail = data(self._delta(ChatDelta(content=MARK))).split(_encode(MARK))

    def open(self) -> bytes:
        return data(self._delta(ChatDelta(role="assistant", content="")))

    def piece(self, delta: Delta) -> bytes:
        if delta.reasoning or delta.logprobs:
            told = ChatDelta(content=delta.text, reasoning_content=delta.reasoning or UNSET)
            return data(self._delta(told, logprobs=chat_logprobs(delta.logprobs)))
        return self._head + _encode(delta.text) + self._tail

    def close(self, finished: Finished) -> bytes:
        last = data(self._delta(ChatDelta(), reason_of(finished)))
        if self._usage is UNSET:
            return last
        return last + data(self._chunk((), usage_of(finished.usage)))

    async def whole(self) -> HttpResponse:
        """All of it at once. Raises ApiError where it did not end well."""
        whole = await read_whole(self._run)
        message = ChatMessageOut("assistant", whole.text, reasoning_content=whole.reasoning or UNSET)
        choice = ChatChoice(0, message, reason_of(whole.finished), chat_logprobs(whole.logprobs))
        return answer(
            ChatCompletion(
                self._id, "chat.completion", self._created, self._model,
                (choice,), usage_of(whole.finished.usage), self._tier,
            )
        )  # fmt: skip

    def _delta(
        self, delta: ChatDelta, reason: FinishReason | None = None, logprobs: ChatLogprobs | None = None
    ) -> ChatChunk:
        return self._chunk((ChunkChoice(0, delta, reason, logprobs),), self._usage)

    def _chunk(
        self, choices: tuple[ChunkChoice, ...], usage: CompletionUsage | UnsetType | None
    ) -> ChatChunk:
        return ChatChunk(
            self._id, "chat.completion.chunk", self._created, self._model, choices, self._tier, usage
        )
