"""The ASGI application: static files, HTTP handlers, websockets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.asgi import get_asgi_application

from chatsite.environment.declared import told_in_lines

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
with told_in_lines():
    http = get_asgi_application()

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path

from chatsite.accounts.sender_check import is_signed_in
from chatsite.console.live_socket import LiveConsumer
from chatsite.health import healthz_application
from chatsite.server import access_log, daphne_fast_path, http_channel
from chatsite.server.async_handlers import ApiHandler, HealthHandler
from chatsite.server.backpressure import BackpressureMiddleware
from chatsite.server.drain import web_drain
from chatsite.server.origins import OwnOriginOnly
from chatsite.server.static_files import StaticFiles
from chatsite.streaming.consumer import ChatConsumer

access_log.replace_access_log()
daphne_fast_path.install()
http_channel.limit_connections(is_signed_in)
web_drain.install(settings.DRAIN_S)

HEALTH_PATHS = frozenset({"/readyz", "/metrics"})
"""Paths of chatsite/health.py that Django answers; `/healthz` is answered without."""


def with_outer_send(application: Any) -> Any:
    """ASGI middleware: puts the server's own `send` into the scope, for the consumer.

    The session middleware's `send` looks for a cookie to set with every message, and every token is one.
    """

    async def outer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await application({**scope, "outer_send": send}, receive, send)

    return outer


def by_path(pages: Any, api: Any, health: Any) -> Any:
    """Route `/v1` to the API handler, checks and metrics to theirs, all else to Django's own."""

    async def choose(scope: dict[str, Any], receive: Any, send: Any) -> None:
        path = scope["path"]
        if path == "/healthz":
            handler = healthz_application
        else:
            handler = api if path.startswith("/v1/") else health if path in HEALTH_PATHS else pages
        await handler(scope, receive, send)

    return choose


sockets = URLRouter([path("ws/chat/", ChatConsumer.as_asgi()), path("ws/console/", LiveConsumer.as_asgi())])

application = ProtocolTypeRouter(
    {
        "http": StaticFiles(
            BackpressureMiddleware(by_path(http, ApiHandler(), HealthHandler())),
            Path(settings.STATIC_ROOT).parent,
        ),
        "websocket": with_outer_send(OwnOriginOnly(AuthMiddlewareStack(sockets))),
    }
)
