"""A message that is too long, or no text, ends the socket with the documented code."""

from __future__ import annotations

import asyncio
import json
import struct

import pytest

from tests.support.site import HOST, Site
from tests.support.waiting import PATIENCE_S, until
from tests.support.websocket import TEXT, WebSocket, frame

LIMIT = 1024 * 1024


class Talker:
    """A signed-in socket, by bytes."""

    def __init__(self) -> None:
        self.received: list[dict[str, object]] = []
        self.socket: WebSocket

    async def open(self, site: Site, cookie: str) -> None:
        request = (
            f"GET /ws/chat/ HTTP/1.1\r\nHost: {HOST}:{site.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Sec-WebSocket-Version: 13\r\nOrigin: {site.url}\r\nCookie: {cookie}\r\n\r\n"
        ).encode()
        loop = asyncio.get_running_loop()
        _, self.socket = await loop.create_connection(
            lambda: WebSocket(request, self._received), HOST, site.port
        )
        await until(lambda: self.received)

    def _received(self, text: bytes, _at: float) -> None:
        self.received.append(json.loads(text))

    def write(self, data: bytes) -> None:
        transport = self.socket._transport
        assert transport is not None
        transport.write(data)

    async def close(self) -> None:
        transport = self.socket._transport
        assert transport is not None
        transport.abort()
        await asyncio.wait([self.socket.closed])

    async def code(self) -> int:
        async with asyncio.timeout(PATIENCE_S):
            return int(await self.socket.closed)


def in_pieces(size: int) -> bytes:
    """One message of several frames, each within the limit."""
    piece = b"x" * (LIMIT // 2)
    first = struct.pack("!BBQ", TEXT, 0x80 | 127, len(piece)) + b"\0\0\0\0" + piece
    more = struct.pack("!BBQ", 0, 0x80 | 127, len(piece)) + b"\0\0\0\0" + piece
    return first + more * (size // len(piece))


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(TEXT, b"x" * (LIMIT + 1)), 1009),
        (frame(TEXT, b"x" * (8 * LIMIT)), 1009),
        (in_pieces(2 * LIMIT), 1009),
        (frame(TEXT, b'{"type": "ping\xff"}'), 1007),
    ],
    ids=["a byte too long", "far too long", "in pieces", "no text"],
)
async def test_it_ends_with_its_code(emulated_site: Site, person: str, sent: bytes, code: int) -> None:
    talker = Talker()
    await talker.open(emulated_site, person)
    talker.write(sent)
    assert await talker.code() == code
    await talker.close()


async def test_a_message_of_just_the_limit_is_read(emulated_site: Site, person: str) -> None:
    talker = Talker()
    await talker.open(emulated_site, person)
    ping = b'{"type": "ping"}'
    talker.write(frame(TEXT, ping + b" " * (LIMIT - len(ping))))
    await until(lambda: talker.received[-1]["type"] == "pong")
    await talker.close()
