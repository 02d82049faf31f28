"""The client's side of RFC 6455, no more than a load client needs: text frames, pings, close.

The load client shares two cores with what it measures, so a frame must cost microseconds here. It
offers no compression, and it trusts the server to send whole UTF-8 text.
"""

from __future__ import annotations

import asyncio
import os
import struct
from base64 import b64encode
from collections.abc import Callable
from time import perf_counter

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
FIN = 0x80
MASKED = 0x80


class HandshakeError(Exception):
    """The server did not switch protocols; the message holds its first line."""


def frame(opcode: int, payload: bytes) -> bytes:
    """One masked, final frame. The mask is zero: it exists against proxies, and there is none here."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", FIN | opcode, MASKED | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", FIN | opcode, MASKED | 126, size)
    else:
        head = struct.pack("!BBQ", FIN | opcode, MASKED | 127, size)
    return head + b"\0\0\0\0" + payload


class WebSocket(asyncio.Protocol):
    """One connection. `on_text(payload, at)` is called for every message, `at` by perf_counter."""

    def __init__(self, request: bytes, on_text: Callable[[bytes, float], None]) -> None:
        self._request = request
        self._on_text = on_text
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._upgraded = asyncio.get_running_loop().create_future()
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        at = perf_counter()
        self._buffer += data
        if not self._upgraded.done():
            self._read_handshake()
        if self._upgraded.done():
            self._read_frames(at)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._upgraded.done():
            self._upgraded.set_exception(HandshakeError(f"connection lost during the handshake: {exc}"))
        if not self.closed.done():
            self.closed.set_result(1006)

    def _read_handshake(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        first = bytes(self._buffer[: self._buffer.find(b"\r\n")])
        del self._buffer[: end + 4]
        if b" 101 " in first:
            self._upgraded.set_result(None)
        else:
            self._upgraded.set_exception(HandshakeError(first.decode(errors="replace")))

    def _read_frames(self, at: float) -> None:
        buffer = self._buffer
        while len(buffer) >= 2:
            size, start = buffer[1] & 0x7F, 2
            if size == 126:
                if len(buffer) < 4:
                    return
                size, start = struct.unpack_from("!H", buffer, 2)[0], 4
            elif size == 127:
                if len(buffer) < 10:
                    return
                size, start = struct.unpack_from("!Q", buffer, 2)[0], 10
            if len(buffer) < start + size:
                return
            first, payload = buffer[0], bytes(buffer[start : start + size])
            del buffer[: start + size]
            self._take(first & 0x0F, bool(first & FIN), payload, at)

    def _take(self, opcode: int, final: bool, payload: bytes, at: float) -> None:
        if opcode <= TEXT:
            self._parts.append(payload)
            if final:
                whole, self._parts = b"".join(self._parts), []
                self._on_text(whole, at)
        elif opcode == PING:
            self._write(frame(PONG, payload))
        elif opcode == CLOSE and not self.closed.done():
            self.closed.set_result(struct.unpack_from("!H", payload)[0] if len(payload) >= 2 else 1005)
            self.close()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def send(self, payload: bytes) -> None:
        """Send one text message."""
        self._write(frame(TEXT, payload))

    def close(self) -> None:
        if self._transport is not None:
            self._write(frame(CLOSE, struct.pack("!H", 1000)))
            self._transport.close()

    @property
    def transport(self) -> asyncio.Transport:
        """The connection, for tests that end it otherwise than with a close frame."""
        assert self._transport is not None
        return self._transport

    async def upgraded(self) -> None:
        """Wait for the switch of protocols. Raises HandshakeError."""
        await self._upgraded


async def connect(
    host: str, port: int, path: str, cookie: str, on_text: Callable[[bytes, float], None]
) -> WebSocket:
    """Open a websocket as the site's own page would: same origin, session cookie. Raises HandshakeError."""
    origin = f"http://{host}:{port}"
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        f"Origin: {origin}",
        f"Cookie: {cookie}",
    )
    request = "\r\n".join((*lines, "", "")).encode()
    loop = asyncio.get_running_loop()
    _, socket = await loop.create_connection(lambda: WebSocket(request, on_text), host, port)
    await socket.upgraded()
    return socket
