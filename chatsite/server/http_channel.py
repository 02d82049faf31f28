"""Twisted's HTTP channel with limits: a deadline for each whole request, and a bound of each body.

Twisted waits 60 s after every byte and spools any body. Here a request's head and its body each have a total
deadline, however slowly they come; a body is counted as it comes, refused with 413 where it is longer than
its route takes, and kept small until its sender is known (docs/decisions/0054-limits-at-the-door.md).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from daphne import http_protocol
from django.conf import settings
from twisted.web.http import HTTPChannel

from chatsite import metrics
from chatsite.server.drain import web_drain
from chatsite.server.open_connections import KEPT_DESCRIPTORS, OpenConnections, raise_descriptor_limit

HEAD_S = 20.0
"""From the connection, or from a request's first byte, to the end of its head."""

BODY_S, BODY_BYTES_PER_S = 30.0, 16 * 1024
"""A body may take BODY_S, and longer for what has arrived by this rate: a slow mobile line is faster."""

IDLE_S = 60.0
"""Between two requests of one connection. Also how long a closing one may send nothing of what is left."""

CLOSE_S, CLOSE_BYTES = 3.0, 4 * 1024 * 1024
"""After a refusal: what still comes is read and thrown away, up to these, so that the answer is read."""

SWEEP_S, LOG_S = 1.0, 10.0

SMALL_BODY = 64 * 1024
"""Bytes that anybody may send: the sign-in and invitation pages' forms have a few hundred."""

SignedIn = Callable[[bytes, bytes], Awaitable[bool]]
"""Whether whoever sent these Cookie and Authorization headers is signed in, or has a valid API key."""

log = structlog.get_logger(__name__)


class Phase(Enum):
    """What a connection is doing."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    SERVING = auto()
    REFUSED = auto()
    CLOSING = auto()


def limit_connections(signed_in: SignedIn) -> None:
    """Make Daphne use this channel for its connections, and raise the limit on file descriptors."""
    LimitedChannel.connections = OpenConnections(raise_descriptor_limit() - KEPT_DESCRIPTORS)
    LimitedChannel.signed_in = staticmethod(signed_in)
    http_protocol.HTTPFactory.buildProtocol = _build_channel


def largest_body(path: bytes) -> int:
    """Bytes of the largest body that this route takes from whoever is signed in."""
    if path.startswith(b"/v1/"):
        return int(settings.LARGEST_BODY)
    if path.startswith((b"/api/", b"/admin/", b"/groups")):
        return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    return SMALL_BODY


class Sweeper:
    """Looks at all connections every SWEEP_S, while there are any: cheaper than a timer for each request."""

    def __init__(self) -> None:
        self._channels: set[LimitedChannel] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._logged = time.monotonic()

    def watch(self, channel: LimitedChannel) -> None:
        self._channels.add(channel)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def forget(self, channel: LimitedChannel) -> None:
        self._channels.discard(channel)

    def _sweep(self) -> None:
        now = time.monotonic()
        self._timer = None
        for channel in tuple(self._channels):
            try:
                channel.end_overdue(now)
            except Exception:
                log.exception("connection_not_ended")
                self._channels.discard(channel)
        if now - self._logged >= LOG_S and (refused := LimitedChannel.connections.refused()):
            self._logged = now
            log.warning("connections_refused", **refused)
        if self._channels:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)


_Channel: Any = HTTPChannel  # Twisted types a part of it


class LimitedChannel(_Channel):
    """One connection. `connections` and `signed_in` are this process's, set by `limit_connections`."""

    connections: OpenConnections
    signed_in: SignedIn
    sweeper: Sweeper
    timeOut = None  # Twisted's own timer starts again with every byte
    phase = Phase.HEAD
    since = 0.0

    def __init__(self) -> None:
        super().__init__()
        self._received = 0  # bytes of this request's body, or after a refusal
        self._most = SMALL_BODY
        self._known = False
        self._check: asyncio.Task[None] | None = None
        self._held: list[bytes] = []
        self._sent_mark: tuple[int, int] = (0, 0)

    # --- what Twisted calls -----------------------------------------------------------------------

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        """Whether the connection is kept after this request. Not by a process that ends."""
        if web_drain.begun:
            request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
            return False
        return bool(super().checkPersistence(request, version))

    def connectionMade(self) -> None:
        super().connectionMade()
        self.connections.enter(self.transport, getattr(self.transport.getPeer(), "host", ""))
        self._begin(Phase.HEAD)
        self.connections.wait(self, self.transport)
        self.sweeper.watch(self)

    def dataReceived(self, data: bytes) -> None:
        if self.phase is Phase.REFUSED:
            self._received += len(data)
            if self._received > CLOSE_BYTES:
                self.transport.abortConnection()
            return
        if self.phase is Phase.IDLE:
            self._begin(Phase.HEAD)
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        if self.phase is not Phase.REFUSED:  # what stands behind a refused head
            super().lineReceived(line)

    def allHeadersReceived(self) -> None:
        """The head is whole: refuse at once what it announces too much of."""
        self._begin(Phase.BODY)
        self._received, self._known = 0, False
        self._most = largest_body(self._path.partition(b"?")[0])
        announced = self.length or 0
        if announced > self._most:
            self.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(self._most))
            return
        super().allHeadersReceived()
        if announced > SMALL_BODY:
            self._check_sender()

    def rawDataReceived(self, data: bytes) -> None:
        if self.phase is Phase.REFUSED:
            return
        if self.phase is not Phase.BODY:  # requests behind one that is being served: Twisted bounds them
            super().rawDataReceived(data)
            return
        if self._check is not None:
            self._held.append(data)
            self._networkProducer.pauseProducing()
            return
        self._received += len(data)
        if self._received > SMALL_BODY and not self._known:
            self._received -= len(data)
            self._held.append(data)
            self._check_sender()
            return
        request = self.requests[-1]
        super().rawDataReceived(data)
        if self.phase is Phase.BODY and request.content.tell() > self._most:
            self.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(self._most))

    def allContentReceived(self) -> None:
        if self.phase is Phase.REFUSED:
            return
        self._begin(Phase.SERVING)
        self.connections.busy(self)
        super().allContentReceived()

    def requestDone(self, request: Any) -> None:
        """Called by Twisted with the end of an answer. A process that ends keeps no connection after it: a
        proxy's next request would meet its end.
        """
        if web_drain.begun:
            self.persistent = False
        self._begin(Phase.IDLE if self.persistent else Phase.CLOSING)
        self.connections.wait(self, self.transport)
        super().requestDone(request)

    def loseConnection(self) -> None:
        self._begin(Phase.CLOSING)
        super().loseConnection()

    def connectionLost(self, reason: Any) -> None:
        self.connections.busy(self)
        self.connections.leave(self.transport)
        self.sweeper.forget(self)
        if self._check is not None:
            self._check.cancel()
        super().connectionLost(reason)

    # --- limits -----------------------------------------------------------------------------------

    def refuse(self, status: HTTPStatus, message: str) -> None:
        """Answer before the request is whole, and close; what still comes is thrown away for a moment."""
        metrics.connections_refused.labels(str(int(status))).inc()
        content_type, body = _error(self._path if hasattr(self, "_path") else b"", status, message)
        head = (
            f"HTTP/1.1 {int(status)} {status.phrase}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        self._begin(Phase.REFUSED)
        self._received = 0
        self._held.clear()
        self.setRawMode()
        self.transport.write(head.encode() + body)
        self._networkProducer.resumeProducing()
        self._networkProducer.unregisterProducer()
        self.transport.loseWriteConnection()

    def drop(self) -> None:
        """Close at once, for a connection that has something to say."""
        self.transport.abortConnection()

    def end_overdue(self, now: float) -> None:
        """Called every SWEEP_S: end what takes too long."""
        waited = now - self.since
        match self.phase:
            case Phase.HEAD if waited > HEAD_S:
                self.refuse(HTTPStatus.REQUEST_TIMEOUT, f"A request's head has to come within {HEAD_S:g} s.")
            case Phase.BODY if waited > BODY_S + self._received / BODY_BYTES_PER_S:
                came = f"{self._received:,} bytes in {waited:.0f} s"
                self.refuse(HTTPStatus.REQUEST_TIMEOUT, f"This body came too slowly: {came}.")
            case Phase.REFUSED if waited > CLOSE_S:
                self.drop()
            case Phase.IDLE | Phase.CLOSING if waited > IDLE_S and not self._sends(now):
                if self.phase is Phase.CLOSING:
                    self.drop()
                else:
                    self.loseConnection()

    def upgraded(self) -> None:
        """A websocket has taken the connection over."""
        self.sweeper.forget(self)

    def _begin(self, phase: Phase) -> None:
        self.phase, self.since = phase, time.monotonic()

    def _sends(self, now: float) -> bool:
        """Whether some of the answer went out since the last look; the wait begins again then."""
        mark = (id(self.transport.dataBuffer), self.transport.offset)
        pending = bool(self.transport.dataBuffer or self.transport._tempDataBuffer)
        if pending and mark != self._sent_mark:
            self._sent_mark, self.since = mark, now
            return True
        return False

    def _check_sender(self) -> None:
        """Read on only when whoever sends this much is known."""
        headers = self.requests[-1].requestHeaders
        cookie, key = (b"; ".join(headers.getRawHeaders(name, ())) for name in (b"cookie", b"authorization"))
        self._networkProducer.pauseProducing()
        self._check = asyncio.get_running_loop().create_task(self._read_on_if(cookie, key))

    async def _read_on_if(self, cookie: bytes, key: bytes) -> None:
        try:
            self._known = await type(self).signed_in(cookie, key)
        except Exception:
            log.exception("sender_not_checked")
        self._check = None
        if self.phase is not Phase.BODY:
            return
        if not self._known:
            self.refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"Before sign-in a request has at most {SMALL_BODY:,} bytes.",
            )
            return
        held, self._held = self._held, []
        self._networkProducer.resumeProducing()
        for data in held:
            self.dataReceived(data)


LimitedChannel.sweeper = Sweeper()


def _build_channel(factory: http_protocol.HTTPFactory, address: Any) -> LimitedChannel | None:
    """For HTTPFactory.buildProtocol; None closes the connection, unread."""
    if not LimitedChannel.connections.admit(getattr(address, "host", "")):
        return None
    channel = LimitedChannel()
    channel.factory = factory
    channel.callLater = factory.reactor.callLater
    channel.requestFactory = http_protocol.WebRequest
    return channel


def _too_large(most: int) -> str:
    return f"The request has more than {most:,} bytes."


def _error(path: bytes, status: HTTPStatus, message: str) -> tuple[str, bytes]:
    """Content type and body, in the error shape of whoever asks there."""
    code = "request_too_large" if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE else "timeout"
    if path.startswith(b"/v1/"):
        detail = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    elif path.startswith(b"/api/"):
        detail = {"code": "too_long" if code == "request_too_large" else code, "message": message}
    else:
        return "text/plain; charset=utf-8", f"{message}\n".encode()
    return "application/json", msgspec.json.encode({"error": detail})
