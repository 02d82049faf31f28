"""`POST /v1/completions`: the model goes on with a text, without its chat template."""

from __future__ import annotations

import time

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from msgspec import UNSET

from chatsite.accounts.models import ApiKey
from chatsite.backends import status_store
from chatsite.openai_api.api_generation import ApiGeneration, ApiPrompt, start_generation
from chatsite.openai_api.endpoint import answer, body, endpoint
from chatsite.openai_api.errors import ApiError
from chatsite.openai_api.logprobs import text_logprobs
from chatsite.openai_api.model_list import check_model_served
from chatsite.openai_api.non_streaming import api_finish_reason, api_usage, read_non_streamed
from chatsite.openai_api.rate_limit_headers import set_rate_limit_headers
from chatsite.openai_api.request_mapping import BATCH_HEADER, completion_sampling, is_background
from chatsite.openai_api.schemas import (
    Completion,
    CompletionRequest,
    CompletionUsage,
    TextChoice,
)
from chatsite.openai_api.sse import sse_data, streaming_response
from chatsite.server.client_address import address_of_request
from inference.request import ChatMessage
from inference.status import current_status
from inference.stream_log.base import Delta, Finished

_decoder = msgspec.json.Decoder(CompletionRequest)


@endpoint("POST", ApiKey.Scope.CHAT)
async def completions(request: HttpRequest, key: ApiKey) -> HttpResponseBase:
    """A continuation. Never part of the history."""
    asked = body(request, _decoder)
    status = await current_status(status_store())
    check_model_served(status, asked.model)
    if status.info is not None and not status.info.raw_prompts:
        raise ApiError(
            400,
            "This server's engine takes chats only: use /v1/chat/completions.",
            code="unsupported_endpoint",
        )
    text = asked.prompt if isinstance(asked.prompt, str) else asked.prompt[0]
    batch = is_background(asked, request.headers.get(BATCH_HEADER, ""))
    sampling = completion_sampling(asked, status)
    turns = (ChatMessage("raw", text),)
    prompt = ApiPrompt(turns, sampling, batch=batch, address=address_of_request(request))
    run = await start_generation(key, status, prompt)
    told = TextAnswer(
        run, asked.model, with_usage=bool(asked.stream_options and asked.stream_options.include_usage)
    )
    if asked.stream:
        response: HttpResponseBase = await streaming_response(run, told)
    else:
        response = await told.whole()
    set_rate_limit_headers(response, run)
    return response


class TextAnswer:
    """The pieces of one continuation, and the whole."""

    def __init__(self, run: ApiGeneration, model: str, *, with_usage: bool) -> None:
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
        return sse_data(self._message((TextChoice(0, delta.text, None, logprobs),), self._usage))

    def close(self, finished: Finished) -> bytes:
        last = sse_data(self._message((TextChoice(0, "", api_finish_reason(finished)),), self._usage))
        if self._usage is UNSET:
            return last
        return last + sse_data(self._message((), api_usage(finished.usage)))

    async def whole(self) -> HttpResponse:
        """All of it at once. Raises ApiError where it did not end well."""
        whole = await read_non_streamed(self._run)
        choice = TextChoice(0, whole.text, api_finish_reason(whole.finished), text_logprobs(whole.logprobs))
        return answer(self._message((choice,), api_usage(whole.finished.usage)))

    def _message(
        self, choices: tuple[TextChoice, ...], usage: CompletionUsage | msgspec.UnsetType | None
    ) -> Completion:
        return Completion(self._id, "text_completion", self._created, self._model, choices, usage)
