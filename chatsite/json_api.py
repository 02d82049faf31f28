"""What every JSON view that the page calls shares: schema in, one error shape out."""

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

T = TypeVar("T")
View = Callable[..., HttpResponseBase]


def api(*methods: str) -> Callable[[View], View]:
    """A view of the page's API: signed in, these methods only; a Refusal becomes the error shape."""

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
                return storing(view, request, **kwargs)
            except Refusal as refusal:
                response = error(refusal.status, refusal.code, refusal.message)
                if refusal.retry_after_s is not None:
                    response["Retry-After"] = str(math.ceil(refusal.retry_after_s))
                return response

        return wrapped

    return decorate


def body(request: HttpRequest, schema: type[T]) -> T:
    """The request's JSON as a schema that refuses unknown fields. Raises Refusal: `bad_frame`, `too_long`."""
    try:
        return msgspec.json.decode(request.body, type=schema)
    except RequestDataTooBig as problem:
        most = f"{settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,}"
        raise Refusal("too_long", f"The request is longer than {most} bytes. Send less at once.") from problem
    except RecursionError as problem:
        raise Refusal("bad_frame", "The request is nested too deeply.") from problem
    except (msgspec.MsgspecError, UnicodeError) as problem:
        raise Refusal("bad_frame", f"The request was not understood: {problem}.") from problem


def answer(content: Any, status: int = 200) -> HttpResponse:
    """JSON that no cache keeps: it is one person's."""
    response = HttpResponse(msgspec.json.encode(content), content_type="application/json", status=status)
    response["Cache-Control"] = "no-store"
    return response


def error(status: int, code: str, message: str) -> HttpResponse:
    return answer({"error": {"code": code, "message": message}}, status)


def user_id(request: HttpRequest) -> int:
    """The signed-in person; `api` has refused everybody else."""
    assert request.user.pk is not None
    return request.user.pk
