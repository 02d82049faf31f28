"""`POST /v1/completions`: the model goes on with a text, without its chat template."""

from __future__ import annotations

import time

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from msgspec import UNSET

from chatsite.accounts.models import ApiKey
from chatsite.address import address_of_request
from chatsite.openai_api.asked import BATCH_HEADER, completion_sampling, may_wait
from chatsite.openai_api.endpoint import answer, body, endpoint
from chatsite.openai_api.errors import ApiError
from chatsite.openai_api.logprobs import text_logprobs
from chatsite.openai_api.model_list import check_model
from chatsite.openai_api.rates import tell_rates
from chatsite.openai_api.run import Prompt, Run, start
from chatsite.openai_api.schemas import (
    Completion,
    CompletionRequest,
    CompletionUsage,
    TextChoice,
)
from chatsite.openai_api.sse import data, streamed
from chatsite.openai_api.whole import read_whole, reason_of, usage_of
from chatsite.wiring import board_store
from inference.board import current
from inference.request import ChatMessage
from inference.stream_log.base import Delta, Finished

_decoder = msgspec.json.Decoder(CompletionRequest)


@endpoint("POST", ApiKey.Scope.CHAT)
async def completions(request: HttpRequest, key: ApiKey) -> HttpResponseBase:
    """A continuation. Never part of the history."""
    asked = body(request, _decoder)
    board = await current(board_store())
    check_model(board, asked.model)
    if board.info is not None and not board.info.raw_prompts:
        raise ApiError(
            400,
            "This server's engine takes chats only: use /v1/chat/completions.",
            code="unsupported_endpoint",
        )
    text = asked.prompt if isinstance(asked.prompt, str) else asked.prompt[0]
    batch = may_wait(asked, request.headers.get(BATCH_HEADER, ""))
    sampling = completion_sampling(asked, board)
    turns = (ChatMessage("raw", text),)
    prompt = Prompt(turns, sampling, batch=batch, address=address_of_request(request))
    run = await start(key, board, prompt)
    told = TextAnswer(
        run, asked.model, with_usage=bool(asked.stream_options and asked.stream_options.include_usage)
    )
    if asked.stream:
        response: HttpResponseBase = await streamed(run, told)
    else:
        response = await told.whole()
    tell_rates(response, run)
    return response


class TextAnswer:
    """The pieces of one continuation, and the whole."""

    def __init__(self, run: Run, model: str, *, with_usage: bool) -> None:
        self._run = run
        self._id = f"cmpl-{run.generation.hex}"
        self._created = int(time.time())
        self._model = model
        self._usage = None if with_usage else UNSET
        self._token_chars = 0

    def open(self) -> bytes:
        return b""

    def piece(self, delta: Delta) -> bytes:
        logprobs = text_logprobs(delta.logprobs, self._token_chars)
        self._token_chars += sum(len(one.token) for one in delta.logprobs)
        return data(self._message((TextChoice(0, delta.text, None, logprobs),), self._usage))

    def close(self, finished: Finished) -> bytes:
        last = data(self._message((TextChoice(0, "", reason_of(finished)),), self._usage))
        if self._usage is UNSET:
            return last
        return last + data(self._message((), usage_of(finished.usage)))

    async def whole(self) -> HttpResponse:
        """All of it at once. Raises ApiError where it did not end well."""
        whole = await read_whole(self._run)
        choice = TextChoice(0, whole.text, reason_of(whole.finished), text_logprobs(whole.logprobs))
        return answer(self._message((choice,), usage_of(whole.finished.usage)))

    def _message(
        self, choices: tuple[TextChoice, ...], usage: CompletionUsage | msgspec.UnsetType | None
    ) -> Completion:
        return Completion(self._id, "text_completion", self._created, self._model, choices, usage)
