"""Daphne's connections: text goes straight out, and no more of a body comes in than anybody takes.

What a token costs the web process is mostly system calls.

Twisted buffers a write, asks the selector to say when the connection takes it, is told so in the loop's
next turn, sends, and takes the wish back: four system calls for a hundred bytes. A connection that has
nothing buffered takes a piece at once in nearly every case; what it does not take goes Twisted's way
(docs/decisions/0052).
"""

from __future__ import annotations

import struct
from os import SEEK_END
from typing import Any

from daphne import http_protocol
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from django.conf import settings
from twisted.internet.tcp import Connection
from twisted.web.http import toChunk

FINAL_TEXT = 0x81
"""RFC 6455, 5.2: the only frame of a text message. A server does not mask."""


def install() -> None:
    """Daphne makes its connections of these from now on."""
    WebSocketFactory.protocol = DirectWebSocket
    http_protocol.WebRequest = DirectRequest


def keeps_up(transport: Any) -> bool:
    """Open, not encrypted here, and nothing waits that a piece sent now would overtake."""
    return bool(
        isinstance(transport, Connection)
        and not transport.TLS
        and transport.connected
        and not transport.disconnecting
        and not transport.dataBuffer
        and not transport._tempDataBuffer
    )


def write_now(transport: Connection, piece: bytes) -> None:
    """Send what the system takes at once, and leave the rest to Twisted."""
    sent = transport.writeSomeData(piece)
    # An error comes as an exception's instance; Twisted meets it again and ends the connection.
    done = sent if isinstance(sent, int) else 0
    if done < len(piece):
        transport.write(piece[done:])  # type: ignore[no-untyped-call]


class DirectWebSocket(WebSocketProtocol):
    """Daphne's websocket, with a shorter way for text on a plain connection that keeps up.

    Autobahn moreover formats the arguments of its debug messages for each frame, logged or not.
    """

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:
        """Called by Daphne with every message that the application sends."""
        if binary or isinstance(content, bytes) or not self._keeps_up():
            super().serverSend(content, binary)
            return
        write_now(self.transport, text_frame(content.encode()))

    def _keeps_up(self) -> bool:
        """Nothing of Autobahn's waits either, and nothing is compressed."""
        return (
            self.state == self.STATE_OPEN
            and keeps_up(self.transport)
            and not self.send_queue
            and self._perMessageCompress is None
        )


class DirectRequest(http_protocol.WebRequest):
    """Daphne's HTTP request, with the same way for a part of a stream between its first and its last."""

    def process(self) -> Any:
        """Called by Twisted with the whole body in a file. Daphne reads all of it into its queue, so what is
        longer than anybody takes is cut to where every view sees that it is too long."""
        if self.content.seek(0, SEEK_END) > settings.LARGEST_BODY:
            self.content.truncate(settings.LARGEST_BODY + 1)
        self.content.seek(0)
        return super().process()

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
            and keeps_up(self.channel.transport)
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
