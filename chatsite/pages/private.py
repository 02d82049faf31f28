"""Pages are somebody's: none is kept by a browser or proxy unless its view says so."""

from __future__ import annotations

from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def private_pages(get_response: Any) -> Any:
    """Middleware: HTML without a Cache-Control header gets `no-store`.

    Usage, sessions, passwords and second factors would show behind the next person's back button.
    """
    middleware: Any
    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponseBase:
            return _marked(await get_response(request))

    else:

        def middleware(request: HttpRequest) -> HttpResponseBase:
            return _marked(get_response(request))

    return middleware


def _marked(response: HttpResponseBase) -> HttpResponseBase:
    if response.get("Content-Type", "").startswith("text/html") and not response.has_header("Cache-Control"):
        response["Cache-Control"] = "no-store"
    return response
