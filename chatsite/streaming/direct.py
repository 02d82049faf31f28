"""Frames go straight to the socket: what a token costs the web process is mostly system calls.

Twisted buffers a write, asks the selector to say when the socket takes it, is told so in the loop's next
turn, sends, and takes the wish back: four system calls for a hundred bytes, and Autobahn formats the
arguments of its debug messages for each frame, logged or not. A socket that has nothing buffered takes a
frame at once in nearly every case; what it does not take goes Twisted's way (docs/decisions/0052).
"""

from __future__ import annotations

import struct

from daphne.ws_protocol import WebSocketProtocol
from twisted.internet.tcp import Connection

FINAL_TEXT = 0x81
"""RFC 6455, 5.2: the only frame of a text message. A server does not mask."""


class DirectWebSocket(WebSocketProtocol):
    """Daphne's websocket, with a shorter way for text on a plain connection that keeps up."""

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:
        """Called by Daphne with every message that the application sends."""
        if binary or isinstance(content, bytes) or not self._keeps_up():
            super().serverSend(content, binary)
            return
        frame = text_frame(content.encode())
        sent = self.transport.writeSomeData(frame)
        # An error comes as an exception's instance; Twisted meets it again and ends the connection.
        done = sent if isinstance(sent, int) else 0
        if done < len(frame):
            self.transport.write(frame[done:])

    def _keeps_up(self) -> bool:
        """Open, neither encrypted nor compressed here, and nothing waits that this frame would overtake."""
        transport = self.transport
        return bool(
            self.state == self.STATE_OPEN
            and isinstance(transport, Connection)
            and not transport.TLS
            and transport.connected
            and not transport.disconnecting
            and not transport.dataBuffer
            and not transport._tempDataBuffer
            and not self.send_queue
            and self._perMessageCompress is None
        )


def text_frame(payload: bytes) -> bytes:
    """One whole text message as RFC 6455 frames it."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", FINAL_TEXT, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", FINAL_TEXT, 126, size) + payload
    return struct.pack("!BBQ", FINAL_TEXT, 127, size) + payload
