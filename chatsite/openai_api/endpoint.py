"""Shared by every `/v1` view: method, key, body through a schema, one error shape, request ids."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, TypeVar

import msgspec
import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from chatsite import metrics
from chatsite.accounts.models import ApiKey
from chatsite.errors import Refusal
from chatsite.openai_api.auth import authenticate
from chatsite.openai_api.errors import ApiError, error_of_refusal
from chatsite.openai_api.tolerance import IGNORED_HEADER, ignored_fields, lone_surrogate, without_nulls

T = TypeVar("T")
View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]

_UNKNOWN = re.compile(r"unknown field `([^`]+)`")
_MISSING = re.compile(r"missing required field `([^`]+)`")
_PLACE = re.compile(r" - at `\$\.?([^`]*)`$")


def endpoint(method: str, scope: ApiKey.Scope) -> Callable[[View], View]:
    """A view for one method and scope; it gets the key, whatever it refuses becomes OpenAI's error shape."""

    def decorate(view: View) -> View:
        @csrf_exempt  # authorised by a header, which no other site can send
        @wraps(view)
        async def wrapped(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            try:
                if request.method != method:
                    raise ApiError(
                        405,
                        f"Not allowed to {request.method} on {request.path}.",
                        code="method_not_supported",
                    )
                response = await view(request, await authenticate(request, scope), **kwargs)
            except Refusal as refusal:
                metrics.frames_rejected.labels(refusal.code).inc()
                response = error_of_refusal(refusal).response()
            except ApiError as error:
                response = error.response()
            if response.status_code == 405:
                response["Allow"] = method
            metrics.api_requests.labels(view.__name__, response.status_code).inc()
            response["x-request-id"] = request_id()
            if ignored := getattr(request, "ignored_fields", None):
                response[IGNORED_HEADER] = ", ".join(ignored)
            return response

        return wrapped

    return decorate


@csrf_exempt
async def unknown_address(request: HttpRequest, **_kwargs: Any) -> HttpResponse:
    """Every other address under `/v1`."""
    message = f"Unknown request URL: {request.method} {request.path}."
    response = ApiError(404, message, code="unknown_url").response()
    response["x-request-id"] = request_id()
    return response


def body(request: HttpRequest, decoder: msgspec.json.Decoder[T]) -> T:
    """The request's JSON as a schema. Raises ApiError that names the field."""
    most = settings.LARGEST_BODY
    raw = request.read(most + 1)
    if len(raw) > most:
        raise ApiError(413, f"The request has more than {most:,} bytes.", code="request_too_large")
    try:
        found = _decoded(raw, decoder)
        request.ignored_fields = ignored_fields(raw)  # type: ignore[attr-defined]
        return found
    except msgspec.ValidationError as problem:
        raise _misfit(str(problem)) from problem
    except RecursionError as problem:
        raise ApiError(400, "The JSON is nested too deeply.", code="invalid_value") from problem
    except (msgspec.DecodeError, UnicodeError) as problem:
        if half := lone_surrogate(raw):
            raise ApiError(400, half, code="invalid_value") from problem
        if isinstance(problem, UnicodeError):
            raise _misfit(str(problem)) from problem
        raise ApiError(400, f"We could not parse the JSON body of your request: {problem}.") from problem


def _decoded(raw: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as problem:
        if not _UNKNOWN.search(str(problem)):
            raise
        return decoder.decode(without_nulls(raw))


def answer(content: Any) -> HttpResponse:
    """JSON that no cache keeps."""
    response = HttpResponse(msgspec.json.encode(content), content_type="application/json")
    response["Cache-Control"] = "no-store"
    return response


def request_id() -> str:
    """The id that this request's log lines carry."""
    return str(structlog.contextvars.get_contextvars().get("request_id") or uuid.uuid4())


def _misfit(problem: str) -> ApiError:
    """A schema's complaint, in the words and with the `param` of OpenAI's errors."""
    found = _PLACE.search(problem)
    place = found[1] if found else ""
    if unknown_field := _UNKNOWN.search(problem):
        name = f"{place}.{unknown_field[1]}" if place else unknown_field[1]
        return ApiError(400, f"Unrecognized request argument supplied: {name}", code="unknown_parameter",
                        param=name)  # fmt: skip
    if missing := _MISSING.search(problem):
        name = f"{place}.{missing[1]}" if place else missing[1]
        return ApiError(400, f"Missing required parameter: '{name}'.", code="missing_required_parameter",
                        param=name)  # fmt: skip
    return ApiError(400, f"Invalid request: {problem}.", code="invalid_value", param=place or None)
