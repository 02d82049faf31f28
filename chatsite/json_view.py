"""Views of the page's JSON API: request bodies by schema, one error shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import msgspec
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from chatsite.database import storing
from chatsite.errors import Refusal
from chatsite.ratelimit import ConcurrencyLimit

REQUESTS = ConcurrencyLimit(10)
"""Of one person, until the answer to each is sent: several tabs of a browser, which asks six at once."""

T = TypeVar("T")
View = Callable[..., HttpResponseBase]


def api(*methods: str) -> Callable[[View], View]:
    """Decorator of an API view: checks sign-in and method, turns a Refusal into the error shape."""

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return error(401, "not_signed_in", "Sign in first.")
            if request.method not in methods:
                response = error(405, "method_not_allowed", f"Use {', '.join(methods)}.")
                response["Allow"] = ", ".join(methods)
                return response
            try:
                place = REQUESTS.take(user_id(request))
                try:
                    answer = storing(view, request, **kwargs)
                except BaseException:
                    place.release()
                    raise
            except Refusal as refusal:
                response = error(refusal.status, refusal.code, refusal.message)
                if refusal.retry_after_s is not None:
                    response["Retry-After"] = str(math.ceil(refusal.retry_after_s))
                return response
            answer._resource_closers.append(place.release)  # type: ignore[attr-defined]
            return answer

        return wrapped

    return decorate


def parse_body(request: HttpRequest, schema: type[T]) -> T:
    """Parse the JSON body by a schema without unknown fields. Raises Refusal: `bad_frame`, `too_long`."""
    try:
        return msgspec.json.decode(request.body, type=schema)
    except RequestDataTooBig as problem:
        most = f"{settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,}"
        raise Refusal("too_long", f"The request is longer than {most} bytes. Send less at once.") from problem
    except RecursionError as problem:
        raise Refusal("bad_frame", "The request is nested too deeply.") from problem
    except (msgspec.MsgspecError, UnicodeError) as problem:
        raise Refusal("bad_frame", f"The request was not understood: {problem}.") from problem


def parse_query_string(request: HttpRequest, schema: type[T]) -> T:
    """Parse the query string by a schema that forbids unknown fields; empty values are left out.

    Raises Refusal `bad_frame`.
    """
    given = {name: value for name, value in request.GET.items() if value}
    try:
        return msgspec.convert(given, schema, strict=False)
    except msgspec.ValidationError as problem:
        raise Refusal("bad_frame", f"The address was not understood: {problem}.") from problem


def json_response(content: Any, status: int = 200) -> HttpResponse:
    """A JSON response that is not cached."""
    response = HttpResponse(msgspec.json.encode(content), content_type="application/json", status=status)
    response["Cache-Control"] = "no-store"
    return response


def error(status: int, code: str, message: str) -> HttpResponse:
    return json_response({"error": {"code": code, "message": message}}, status)


def user_id(request: HttpRequest) -> int:
    """The id of the signed-in user; `api` has checked that there is one."""
    assert request.user.pk is not None
    return request.user.pk
