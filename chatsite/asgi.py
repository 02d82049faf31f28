"""The ASGI application: static files, then pages over HTTP, and the chat over a websocket."""

from __future__ import annotations

import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
http = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import path  # noqa: E402

from chatsite import direct  # noqa: E402
from chatsite.console.socket import LiveConsumer  # noqa: E402
from chatsite.flow import WithRoom  # noqa: E402
from chatsite.on_loop import ApiHandler, ChecksHandler  # noqa: E402
from chatsite.static_files import StaticFiles  # noqa: E402
from chatsite.streaming.consumer import ChatConsumer  # noqa: E402

direct.install()

CHECKS = frozenset({"/healthz", "/readyz", "/metrics"})
"""What machines ask (chatsite/health.py)."""


def with_outer_send(application: Any) -> Any:
    """Let the consumer reach the server's own `send`; the session's looks for a cookie to set.

    A websocket has none to set after its handshake, and a token is a message.
    """

    async def outer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await application({**scope, "outer_send": send}, receive, send)

    return outer


def by_caller(pages: Any, programs: Any, checks: Any) -> Any:
    """`/v1` goes to the handler for programs, health and figures to theirs, all else to that for browsers."""

    async def choose(scope: dict[str, Any], receive: Any, send: Any) -> None:
        path = scope["path"]
        handler = programs if path.startswith("/v1/") else checks if path in CHECKS else pages
        await handler(scope, receive, send)

    return choose


sockets = URLRouter([path("ws/chat/", ChatConsumer.as_asgi()), path("ws/console/", LiveConsumer.as_asgi())])

application = ProtocolTypeRouter(
    {
        "http": StaticFiles(
            WithRoom(by_caller(http, ApiHandler(), ChecksHandler())),
            str(settings.STATIC_ROOT),
            settings.STATIC_URL,
        ),
        "websocket": with_outer_send(AllowedHostsOriginValidator(AuthMiddlewareStack(sockets))),
    }
)
