"""ASGI handlers for `/v1` and health checks: Django's, with a short middleware chain on the event loop.

Django runs every hook of a synchronous middleware in a thread, twice a request, and eleven of them serve
browsers: session, language, CSRF token, messages. Programs need none of these, and the other five only
compute (docs/decisions/0053-programs-have-their-own-chain.md).

Nor does a request here have a thread of its own: what Django would do in it, once as the request begins and
once as it ends, is to look after that thread's database connection, and these views have none in it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from functools import cache
from typing import Any

import structlog
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from csp.constants import HEADER
from csp.utils import build_policy
from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.security import SecurityMiddleware
from django.urls import set_script_prefix
from django.utils.deprecation import MiddlewareMixin

from chatsite.server.client_address import address_of_request
from chatsite.server.cors import CorsMiddleware

Hook = Callable[..., Any]
View = Callable[[HttpRequest], Any]


class _OnLoop:
    """One of Django's middlewares, called on the event loop: its hooks neither wait nor block."""

    def __init__(self, middleware: type[MiddlewareMixin], get_response: View) -> None:
        self._hooks = middleware(get_response)
        self._get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        before = getattr(self._hooks, "process_request", None)
        response = before(request) if before else None
        if response is None:
            response = await self._get_response(request)
        final: HttpResponseBase = self._hooks.process_response(request, response)  # type: ignore[attr-defined]
        return final


class _Logged:
    """Binds the request's id and client address to its log lines: the names are those of django_structlog.

    A request is a task, and what is bound in it ends with it.
    """

    def __init__(self, get_response: View) -> None:
        self._get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        headers = request.headers
        bound = {"request_id": headers.get("X-Request-ID") or str(uuid.uuid4())}
        if correlation := headers.get("X-Correlation-ID"):
            bound["correlation_id"] = correlation
        structlog.contextvars.bind_contextvars(**bound, ip=address_of_request(request))
        response: HttpResponseBase = await self._get_response(request)
        return response


class _ContentPolicy(MiddlewareMixin):
    """The content security policy of pages, without a nonce: nothing here is a page with scripts."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not (settings.DEBUG and response.status_code in (404, 500)):  # Django's own pages for developers
            response.headers.setdefault(HEADER, _policy())
        return response


@cache
def _policy() -> str:
    return str(build_policy())


class AsyncHandler(ASGIHandler):
    """Django's handler with `middlewares` alone, the innermost first."""

    middlewares: tuple[type[MiddlewareMixin], ...]

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """One request, from its body to the end of its response, or until the client is gone."""
        if scope["type"] != "http":
            raise ValueError(f"Only HTTP is served here, not {scope['type']}.")
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        set_script_prefix(get_script_prefix(scope))
        with body:
            request, refused = self.create_request(scope, body)
            if request is None:
                assert refused is not None
                await self.send_response(refused, send)
                return
            answering = asyncio.create_task(self._answer(request, send))
            leaving = asyncio.create_task(receive())  # after the body there comes nothing but a disconnect
            try:
                await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
            finally:
                leaving.cancel()
                answering.cancel()
                await asyncio.wait((answering,))
            if not answering.cancelled():
                answering.result()

    async def _answer(self, request: HttpRequest, send: Any) -> None:
        response = await self.run_get_response(request)
        try:
            await self.send_response(response, send)
        finally:
            for close in response._resource_closers:  # type: ignore[attr-defined]
                close()

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


class ApiHandler(AsyncHandler):
    """Serves `/v1`."""

    middlewares = (
        XFrameOptionsMiddleware,
        CommonMiddleware,
        _ContentPolicy,
        SecurityMiddleware,
        CorsMiddleware,
    )


class HealthHandler(AsyncHandler):
    """Serves `/readyz` and `/metrics`, for any Host.

    Proxies, containers and Prometheus ask the process itself, so their Host is none of
    CHATSITE_ALLOWED_HOSTS. CommonMiddleware, which compares it, is left out; these answers hold no address
    made of it.
    """

    middlewares = (XFrameOptionsMiddleware, _ContentPolicy, SecurityMiddleware)
