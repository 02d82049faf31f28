"""Map the fields of a `/v1` request to messages, sampling and priority. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from chatsite.openai_api.errors import ApiError
from chatsite.openai_api.schemas import (
    ChatRequest,
    ChatTurn,
    CompletionRequest,
    JsonObjectFormat,
    JsonSchemaFormat,
    ResponseFormat,
)
from inference.request import ChatMessage, Sampling
from inference.schema_cost import SchemaCostError, check_schema_cost
from inference.status import InferenceStatus

BATCH_HEADER = "X-Chatsite-Batch"
"""`1`: nobody sits in front of this request. For programs that cannot send the field `priority`."""

MAX_SCHEMA_DEPTH, MAX_SCHEMA_BYTES = 64, 64 * 1024
"""Of a JSON schema: far above what people write (OpenAI allows 10 levels of objects, 2 levels each here)."""

TEMPERATURE, TOP_P = 1.0, 1.0
"""OpenAI's defaults."""


def chat_turns(turns: Sequence[ChatTurn]) -> tuple[ChatMessage, ...]:
    """The message list as the model reads it."""
    return tuple(
        ChatMessage("system" if turn.role == "developer" else turn.role, _text(turn)) for turn in turns
    )


def _text(turn: ChatTurn) -> str:
    if isinstance(turn.content, str):
        return turn.content
    return "".join(part.text for part in turn.content or ())


def chat_sampling(asked: ChatRequest, status: InferenceStatus) -> Sampling:
    """Raises ApiError for what is not done here, or not by the engine in use."""
    _only_one(asked.n)
    if asked.top_logprobs is not None and not asked.logprobs:
        raise ApiError(
            400, "'top_logprobs' needs 'logprobs': true.", code="invalid_value", param="top_logprobs"
        )
    logprobs = (asked.top_logprobs or 0) if asked.logprobs else None
    _refuse("tools", asked.tools)
    _refuse("tool_choice", asked.tool_choice not in (None, "none", "auto"))
    schema = _json_schema(asked.response_format)
    _refuse("response_format", schema is not None and not (status.info and status.info.structured))
    sampling = _sampling(asked, status, asked.max_completion_tokens or asked.max_tokens, logprobs)
    return msgspec.structs.replace(sampling, json_schema=schema)


def _json_schema(wanted: ResponseFormat | None) -> dict[str, Any] | None:
    match wanted:
        case JsonObjectFormat():
            return {"type": "object"}
        case JsonSchemaFormat(schema):
            _check_schema(schema.schema)
            return schema.schema
        case _:
            return None


def _check_schema(schema: dict[str, Any]) -> None:
    """The engine makes an automaton of it before anybody's next token. Raises ApiError for one that costs too
    much."""
    level: list[Any] = [schema]
    for _ in range(MAX_SCHEMA_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
    try:
        msgspec.msgpack.encode(schema)  # how it travels to the engine
    except OverflowError as error:
        raise ApiError(
            400,
            "The schema holds a number of more than 64 bits.",
            code="invalid_value",
            param="response_format",
        ) from error
    if level or len(msgspec.json.encode(schema)) > MAX_SCHEMA_BYTES:
        raise ApiError(
            400,
            f"The schema is larger than {MAX_SCHEMA_BYTES:,} bytes or deeper than {MAX_SCHEMA_DEPTH} levels.",
            code="invalid_value",
            param="response_format",
        )
    try:
        check_schema_cost(schema)
    except SchemaCostError as error:
        raise ApiError(400, f"The schema's {error}", code="invalid_value", param="response_format") from error


def _inside(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def completion_sampling(asked: CompletionRequest, status: InferenceStatus) -> Sampling:
    """Raises ApiError for what is not done here, or not by the engine in use."""
    _only_one(asked.n)
    _refuse("best_of", asked.best_of not in (None, 1))
    _refuse("echo", asked.echo)
    _refuse("suffix", asked.suffix)
    _refuse("repetition_penalty", asked.repetition_penalty not in (None, 1.0))
    return _sampling(asked, status, asked.max_tokens or DEFAULT_COMPLETION_TOKENS, asked.logprobs)


DEFAULT_COMPLETION_TOKENS = 16
"""OpenAI's default of the old endpoint."""


def is_background(asked: ChatRequest | CompletionRequest, header: str) -> bool:
    """Whether the request gives up its place to people. Nothing it says gives it a better one."""
    return (asked.priority or 0) > 0 or asked.service_tier == "flex" or header.lower() in ("1", "true", "yes")


def _sampling(
    asked: ChatRequest | CompletionRequest,
    status: InferenceStatus,
    max_tokens: int | None,
    logprobs: int | None,
) -> Sampling:
    _refuse("logit_bias", asked.logit_bias)
    _refuse("logprobs", logprobs is not None and not (status.info and status.info.logprobs))
    if asked.stream_options is not None and not asked.stream:
        raise ApiError(
            400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )  # fmt: skip
    return Sampling(
        temperature=TEMPERATURE if asked.temperature is None else asked.temperature,
        top_p=TOP_P if asked.top_p is None else asked.top_p,
        max_tokens=max_tokens,
        seed=asked.seed,
        stop=_stops(asked.stop),
        presence_penalty=asked.presence_penalty or 0.0,
        frequency_penalty=asked.frequency_penalty or 0.0,
        ignore_eos=bool(asked.ignore_eos),
        logprobs=logprobs,
    )


def _stops(stop: str | list[str] | None) -> tuple[str, ...]:
    if stop is None:
        return ()
    return (stop,) if isinstance(stop, str) else tuple(stop)


def _only_one(n: int | None) -> None:
    if n not in (None, 1):
        raise ApiError(
            400, f"n={n}: this server makes one answer a request.", code="unsupported_value", param="n"
        )


def _refuse(param: str, value: Any) -> None:
    if value:
        raise ApiError(
            400, f"'{param}' is not supported by this server.", code="unsupported_parameter", param=param
        )
