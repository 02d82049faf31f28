"""A response over a connection whose reader takes its time, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from django.test import AsyncClient

from chatsite.server.backpressure import BackpressureMiddleware
from tests.support.waiting import until


class SlowConnection:
    """The server's end of it, as far as Daphne's request tells a producer to wait: after each part."""

    channel: object = True

    def __init__(self, *, reads: bool = True) -> None:
        self.producer: Any = None
        self.reads = reads
        self.status = 0
        self.parts: list[bytes] = []
        self.is_over = False

    def registerProducer(self, producer: Any, _streaming: bool) -> None:
        assert self.producer is None
        self.producer = producer

    def unregisterProducer(self) -> None:
        assert self.producer is not None
        self.producer = None

    def read_on(self) -> None:
        """From now on all is taken at once."""
        self.reads = True
        if self.producer is not None:
            self.producer.resumeProducing()

    async def reply(self, message: dict[str, Any]) -> None:
        """Daphne's `handle_reply`."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        if body := message.get("body"):
            self.parts.append(body)
        if self.producer is not None and not self.reads:
            self.producer.pauseProducing()
        self.is_over = not message.get("more_body")


async def _reply(connection: SlowConnection, message: dict[str, Any]) -> None:
    await connection.reply(message)


class SlowReader:
    """A request to the application, and its connection."""

    def __init__(
        self, application: Callable[..., Any], client: AsyncClient, path: str, *, reads: bool
    ) -> None:
        self.connection = SlowConnection(reads=reads)
        cookies = "; ".join(f"{name}={one.value}" for name, one in client.cookies.items())
        path, _, query = path.partition("?")
        self._scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "",
            "query_string": query.encode(),
            "headers": [(b"host", b"localhost"), (b"cookie", cookies.encode())],
            "client": ["127.0.0.1", 1], "server": ["127.0.0.1", 80],
        }  # fmt: skip
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._messages.put_nowait({"type": "http.request", "body": b""})
        send = partial(_reply, self.connection)
        self.task = asyncio.create_task(
            BackpressureMiddleware(application)(self._scope, self._messages.get, send)
        )

    @property
    def body(self) -> bytes:
        return b"".join(self.connection.parts)

    async def until_waiting(self) -> None:
        """The application waits for its reader."""
        await until(lambda: self.connection.producer is not None and self.connection.producer.paused)

    async def leave(self) -> None:
        """The reader is gone."""
        self._messages.put_nowait({"type": "http.disconnect"})
        await self.task

    async def all(self) -> bytes:
        """The whole body, read at once from here on."""
        self.connection.read_on()
        await self.task
        assert self.connection.is_over
        return self.body
