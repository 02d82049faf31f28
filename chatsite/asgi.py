"""The ASGI application: static files, then pages over HTTP, and the chat over a websocket."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
http = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from daphne.ws_protocol import WebSocketFactory  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import path  # noqa: E402

from chatsite.console.socket import LiveConsumer  # noqa: E402
from chatsite.static_files import StaticFiles  # noqa: E402
from chatsite.streaming.consumer import ChatConsumer  # noqa: E402
from chatsite.streaming.direct import DirectWebSocket  # noqa: E402

WebSocketFactory.protocol = DirectWebSocket

application = ProtocolTypeRouter(
    {
        "http": StaticFiles(http, str(settings.STATIC_ROOT), settings.STATIC_URL),
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(
                URLRouter(
                    [
                        path("ws/chat/", ChatConsumer.as_asgi()),
                        path("ws/console/", LiveConsumer.as_asgi()),
                    ]
                )
            )
        ),
    }
)
