"""`POST /v1/chat/completions`: parse → submit → answer at once or as a stream."""

from __future__ import annotations

import time
from typing import Literal

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from msgspec import UNSET, UnsetType

from chatsite.accounts.models import ApiKey
from chatsite.backends import status_store
from chatsite.openai_api.api_generation import ApiGeneration, ApiPrompt, start_generation
from chatsite.openai_api.endpoint import answer, body, endpoint
from chatsite.openai_api.logprobs import chat_logprobs
from chatsite.openai_api.model_list import check_model_served
from chatsite.openai_api.non_streaming import api_finish_reason, api_usage, read_non_streamed
from chatsite.openai_api.rate_limit_headers import set_rate_limit_headers
from chatsite.openai_api.request_mapping import BATCH_HEADER, chat_sampling, chat_turns, is_background
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
from chatsite.openai_api.sse import sse_data, streaming_response
from chatsite.server.client_address import address_of_request
from inference.status import current_status
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
    status = await current_status(status_store())
    check_model_served(status, asked.model)
    batch = is_background(asked, request.headers.get(BATCH_HEADER, ""))
    sampling = chat_sampling(asked, status)
    prompt = ApiPrompt(
        chat_turns(asked.messages), sampling, bool(asked.store), batch, address_of_request(request)
    )
    run = await start_generation(key, status, prompt)
    told = ChatAnswer(
        run, asked.model, "flex" if batch else "default",
        with_usage=bool(asked.stream_options and asked.stream_options.include_usage),
    )  # fmt: skip
    response: HttpResponseBase = await (streaming_response(run, told) if asked.stream else told.whole())
    set_rate_limit_headers(response, run)
    return response


class ChatAnswer:
    """One answer in OpenAI's words: its chunks, or the whole of it."""

    def __init__(self, run: ApiGeneration, model: str, tier: Tier, *, with_usage: bool) -> None:
        self._run = run
        self._id = f"chatcmpl-{run.generation.hex}"
        self._created = int(time.time())
        self._model = model
        self._tier: Tier = tier
        self._usage: UnsetType | None = None if with_usage else UNSET
        # Encoded once, so that a token costs its own text alone.
        self._head, self._tail = sse_data(self._delta(ChatDelta(content=MARK))).split(_encode(MARK))

    def open(self) -> bytes:
        return sse_data(self._delta(ChatDelta(role="assistant", content="")))

    def piece(self, delta: Delta) -> bytes:
        if delta.reasoning or delta.logprobs:
            told = ChatDelta(content=delta.text, reasoning_content=delta.reasoning or UNSET)
            return sse_data(self._delta(told, logprobs=chat_logprobs(delta.logprobs)))
        return self._head + _encode(delta.text) + self._tail

    def close(self, finished: Finished) -> bytes:
        last = sse_data(self._delta(ChatDelta(), api_finish_reason(finished)))
        if self._usage is UNSET:
            return last
        return last + sse_data(self._chunk((), api_usage(finished.usage)))

    async def whole(self) -> HttpResponse:
        """All of it at once. Raises ApiError where it did not end well."""
        whole = await read_non_streamed(self._run)
        message = ChatMessageOut("assistant", whole.text, reasoning_content=whole.reasoning or UNSET)
        choice = ChatChoice(0, message, api_finish_reason(whole.finished), chat_logprobs(whole.logprobs))
        return answer(
            ChatCompletion(
                self._id, "chat.completion", self._created, self._model,
                (choice,), api_usage(whole.finished.usage), self._tier,
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
