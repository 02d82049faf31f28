"""The page of a refusal that no view has answered itself: its words, its status, when to come back."""

from __future__ import annotations

import math
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import sync_and_async_middleware

from chatsite.errors import Refusal


@sync_and_async_middleware
def refused_pages(get_response: Any) -> Any:
    """Middleware that turns a Refusal into its page."""
    middleware: Any
    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> Any:
            return await get_response(request)

    else:

        def middleware(request: HttpRequest) -> Any:
            return get_response(request)

    middleware.process_exception = refused
    return middleware


def refused(request: HttpRequest, exception: Exception) -> HttpResponse | None:
    """The page, for a Refusal alone. Not cached: another try may succeed."""
    if not isinstance(exception, Refusal):
        return None
    page = render(request, "refused.html", {"refusal": exception}, status=exception.status)
    page["Cache-Control"] = "no-store"
    if exception.retry_after_s is not None:
        page["Retry-After"] = str(math.ceil(exception.retry_after_s))
    return page
