"""A signed-in socket on the real ASGI application, for tests."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client

from chatsite.accounts.models import User
from chatsite.asgi import application
from tests.support.waiting import PATIENCE_S


class Socket(WebsocketCommunicator):
    """Speaks frames as dictionaries."""

    async def ask(self, **frame: Any) -> None:
        await self.send_to(text_data=json.dumps(frame))

    async def frame(self, type: str | None = None, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next frame, or the next of one type; what comes between is passed over."""
        async with asyncio.timeout(timeout_s):
            while True:
                frame = json.loads(await self.receive_from(timeout=timeout_s))
                if type is None or frame["type"] == type:
                    return frame

    async def submit(self, content: str, **fields: Any) -> dict[str, Any]:
        """Submit and return the answer to it: accepted or rejected."""
        client_id = str(uuid4())
        await self.ask(type="submit", id=client_id, content=content, **fields)
        while True:
            frame = await self.frame()
            if frame.get("id") == client_id:
                return frame


async def open_socket(user: User | None, client: Client | None = None) -> Socket:
    """Connected, with the hello still to be read. None: nobody is signed in.

    `client` is a browser that is.
    """
    headers = [(b"origin", b"http://localhost"), (b"host", b"localhost")]
    if user is not None:
        if client is None:
            client = Client()
            await sync_to_async(client.force_login)(user)
        cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
        headers.append((b"cookie", cookie.encode()))
    socket = Socket(application, "/ws/chat/", headers=headers)
    connected, _ = await socket.connect(timeout=PATIENCE_S)
    assert connected
    _opened.append(socket)
    return socket


_opened: list[Socket] = []


async def leave_sockets() -> None:
    """Leave the sockets that this test opened and did not: as a browser's end does, not by cancelling them.

    A cancellation that meets a connection to Redis that is being closed can be lost inside the client, and
    whoever waits for the task waits for ever.
    """
    while _opened:
        socket = _opened.pop()
        if socket.future is not None and not socket.future.done():
            await socket.disconnect(timeout=PATIENCE_S)
