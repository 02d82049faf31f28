"""Ways in for machines: Django's handler with what their requests need, on the event loop.

Django takes every hook of a middleware to a thread and back, twice a request, and eleven of them look
for a browser: its session, language, form token, messages. A machine has none of these, and the five
that are left only compute (docs/decisions/0053-programs-have-their-own-chain.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from csp.middleware import CSPMiddleware
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.deprecation import MiddlewareMixin
from django_structlog.middlewares import RequestMiddleware

Hook = Callable[..., Any]
View = Callable[[HttpRequest], Any]


class _OnLoop:
    """One of Django's middlewares whose hooks neither wait nor block, called where the request is."""

    def __init__(self, middleware: type[MiddlewareMixin], get_response: View) -> None:
        self._hooks = middleware(get_response)
        self._get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        before = getattr(self._hooks, "process_request", None)
        response = before(request) if before else None
        if response is None:
            response = await self._get_response(request)
        told: HttpResponseBase = self._hooks.process_response(request, response)  # type: ignore[attr-defined]
        return told


class _Logged(RequestMiddleware):
    """Binds the request's id and address to its log lines, likewise without a thread."""

    async def __acall__(self, request: HttpRequest) -> HttpResponse:
        self.prepare(request)
        response: HttpResponse = await self.get_response(request)  # type: ignore[misc]
        self.handle_response(request, response)
        return response


class LoopHandler(ASGIHandler):
    """Serves with these middlewares, the innermost first."""

    middlewares: tuple[type[MiddlewareMixin], ...]

    def load_middleware(self, is_async: bool = False) -> None:
        """The chain: headers, then log, then the view. No hook of a view, template or exception."""
        assert is_async, "ASGI calls on the loop"
        self._view_middleware: list[Hook] = []
        self._template_response_middleware: list[Hook] = []
        self._exception_middleware: list[Hook] = []
        view: Any = convert_exception_to_response(self._get_response_async)  # type: ignore[attr-defined]
        chain: Any = convert_exception_to_response(_Logged(view))
        for middleware in self.middlewares:
            chain = convert_exception_to_response(_OnLoop(middleware, chain))
        assert iscoroutinefunction(chain)
        self._middleware_chain = chain


class ApiHandler(LoopHandler):
    """Serves `/v1`."""

    middlewares = (XFrameOptionsMiddleware, CommonMiddleware, CSPMiddleware, SecurityMiddleware)


class ChecksHandler(LoopHandler):
    """Serves the checks of `health`, by whatever name or address they are asked for.

    Proxies, containers and Prometheus ask the process itself, so their Host is none of
    CHATSITE_ALLOWED_HOSTS. CommonMiddleware, which compares it, is left out; these answers hold no address
    made of it.
    """

    middlewares = (XFrameOptionsMiddleware, CSPMiddleware, SecurityMiddleware)
