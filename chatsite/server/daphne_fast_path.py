"""Daphne's fast path: text is written straight to the socket.

Most of what a token costs the web process is system calls.

Twisted buffers a write, registers with the selector, sends when the loop's next turn finds the connection
writable, and unregisters: four system calls for a hundred bytes. A connection that has nothing buffered takes
a piece at once in nearly every case; the rest of it goes through Twisted's buffer
(docs/decisions/0052).
"""

from __future__ import annotations

import struct
from tempfile import SpooledTemporaryFile
from typing import Any

from daphne import http_protocol
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet.tcp import Connection
from twisted.web.http import toChunk

from chatsite.server.backpressure import PushProducer
from chatsite.server.http_channel import SMALL_BODY, LimitedChannel

MAX_UNSENT_BYTES = 4 * 1024 * 1024
"""Of one socket. Text waits for its reader (chatsite/streaming/follower.py); so much of what does not wait is
a flood, and the connection is cut.
"""

FINAL_TEXT = 0x81
"""RFC 6455, 5.2: the only frame of a text message. A server does not mask."""


def install() -> None:
    """Make Daphne use these classes for its connections."""
    WebSocketFactory.protocol = FastPathWebSocket
    http_protocol.WebRequest = FastPathRequest


def can_write_now(transport: Any) -> bool:
    """Whether it is open, not encrypted here, and has nothing buffered that a write would overtake."""
    return bool(
        isinstance(transport, Connection)
        and not transport.TLS
        and transport.connected
        and not transport.disconnecting
        and not transport.dataBuffer
        and not transport._tempDataBuffer
    )


def write_now(transport: Connection, piece: bytes) -> None:
    """Write what the socket takes at once, and give the rest to Twisted."""
    sent = transport.writeSomeData(piece)
    # An error comes as an exception's instance; Twisted meets it again and ends the connection.
    done = sent if isinstance(sent, int) else 0
    if done < len(piece):
        transport.write(piece[done:])  # type: ignore[no-untyped-call]


class FastPathWebSocket(WebSocketProtocol):
    """Daphne's websocket, with direct writes of text on a plain connection with an empty buffer.

    Autobahn moreover formats the arguments of its debug messages for each frame, logged or not.
    """

    failByDrop = False
    """A message too long or of broken text ends with its close code, not with a reset that tells nothing."""

    closeHandshakeTimeout = 5
    """Seconds for what the client was sending when it was told so."""

    def onConnect(self, request: Any) -> Any:
        """Called by Autobahn before the application begins."""
        self.outlet = PushProducer()
        return super().onConnect(request)

    def onOpen(self) -> None:
        """Called by Autobahn after the handshake. The connection's producer was the HTTP channel."""
        self.transport.unregisterProducer()
        self.transport.registerProducer(self.outlet, True)
        super().onOpen()

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:
        """Called by Daphne with every message that the application sends.

        What comes for one that closes is dropped: its answer goes on until the connection has ended, and
        Autobahn raises for each frame.
        """
        if self.state in (self.STATE_CLOSING, self.STATE_CLOSED):
            return
        if self.unsent_bytes > MAX_UNSENT_BYTES:
            self.dropConnection(abort=True)
            return
        if binary or isinstance(content, bytes) or not self._can_write_now():
            super().serverSend(content, binary)
            return
        write_now(self.transport, text_frame(content.encode()))

    @property
    def unsent_bytes(self) -> int:
        """What the network has not taken yet."""
        transport = self.transport
        return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)

    def connectionLost(self, reason: Any) -> None:
        LimitedChannel.connections.leave(self.transport)
        super().connectionLost(reason)

    def _can_write_now(self) -> bool:
        """Also: Autobahn has nothing queued, and compresses nothing."""
        return (
            self.state == self.STATE_OPEN
            and can_write_now(self.transport)
            and not self.send_queue
            and self._perMessageCompress is None
        )


class FastPathRequest(http_protocol.WebRequest):
    """Daphne's HTTP request, with direct writes of a stream's parts between the first and the last."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parsePOSTFormSubmission = False  # Django does; Twisted's forms would be read by nobody

    def gotLength(self, length: int | None) -> None:
        """Called by Twisted before the body comes. What anybody may send takes no file descriptor."""
        self.content = SpooledTemporaryFile(max_size=SMALL_BODY)  # noqa: SIM115 - closed with the request

    def process(self) -> Any:
        """Called by Twisted with the whole request."""
        done = super().process()
        if self.transport is None:  # Daphne gave it to a websocket
            self.channel.upgraded()
        return done

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Called by Daphne with every message that the application sends."""
        if (
            message["type"] == "http.response.body"
            and message.get("more_body")
            and (part := message.get("body"))
            and self.startedWriting
            and self.chunked
            and not self.finished
            and self.channel is not None
            and self.method != b"HEAD"
            and can_write_now(self.channel.transport)
        ):
            self.sentLength += len(part)
            write_now(self.channel.transport, b"".join(toChunk(part)))
            return
        super().handle_reply(message)


def text_frame(payload: bytes) -> bytes:
    """One whole text message as RFC 6455 frames it."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", FINAL_TEXT, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", FINAL_TEXT, 126, size) + payload
    return struct.pack("!BBQ", FINAL_TEXT, 127, size) + payload
