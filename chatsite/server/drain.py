"""The orderly end of a web process: SIGTERM lets what is being answered end, and sends tabs elsewhere.

In order: `/readyz` fails, for the balancers that ask it; no connection is accepted, and kept ones end with
their next answer; websockets are closed with 1012 (service restart), spread over some seconds, so that a
thousand tabs do not knock at the other processes at once; requests in progress, streams of `/v1` among them,
end within CHATSITE_DRAIN_S.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import structlog
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet.defer import Deferred

log = structlog.get_logger(__name__)

SERVICE_RESTART = 1012
"""Close code "service restart" of the registry for websockets: clients come back, and not all at once."""

NOTICE_S = 2.0
"""Between failing readiness and refusing connections: a balancer that asks every second has asked."""

SOCKETS_PER_S = 50
"""A page that comes back costs 20 ms here: its session, its list, its followed streams."""

LONGEST_SPREAD_S = 10.0
"""However many sockets there are: an old process is not kept for them."""

ALONE_S = 2.0
"""In one process with the engine, which has drained before: what has ended is sent, nothing else comes."""

POLL_S = 0.1


class WebDrain:
    """This process's drain. `alone`: no other process serves these pages, so nobody is sent anywhere."""

    def __init__(self) -> None:
        self.begun = False
        self.alone = False
        self.limit_s = 0.0
        self._ports: list[Any] = []

    def install(self, limit_s: float) -> None:
        """Have Daphne drain before it ends, requests in progress for at most so long."""
        self.limit_s = limit_s
        Server.listen_success = _noting_port(self, Server.listen_success)
        Server.kill_all_applications = _draining_first(self, Server.kill_all_applications)

    def note_port(self, port: Any) -> None:
        self._ports.append(port)

    async def run(self, connections: dict[Any, dict[str, Any]]) -> None:
        """Drain; `connections` are Daphne's own: protocol → what it knows of it."""
        self.begun = True
        loop = asyncio.get_running_loop()
        ends = loop.time() + (min(self.limit_s, ALONE_S) if self.alone else self.limit_s)
        if connections and not self.alone:
            await asyncio.sleep(min(NOTICE_S, self.limit_s))
        for port in self._ports:
            port.stopListening()
        log.info("web_draining", connections=len(connections), seconds=self.limit_s)
        await self._close_sockets(connections)
        while loop.time() < ends and any(map(in_progress, list(connections.items()))):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)  # Daphne tells nobody of an end

    async def _close_sockets(self, connections: dict[Any, dict[str, Any]]) -> None:
        found = [one for one in list(connections) if isinstance(one, WebSocketProtocol)]
        random.shuffle(found)
        longest = 0.0 if self.alone else min(LONGEST_SPREAD_S, self.limit_s)
        pause_s = min(1 / SOCKETS_PER_S, longest / max(1, len(found)))
        for one in found:
            # Autobahn's sendClose knows no code of a server; it takes none while the socket is not open.
            if one.state == one.STATE_OPEN:
                one.sendCloseFrame(code=SERVICE_RESTART, reasonUtf8=None, isReply=False)
            await asyncio.sleep(pause_s * random.uniform(0, 2))  # noqa: S311 - spreads, no secret


def in_progress(connection: tuple[Any, dict[str, Any]]) -> bool:
    """Whether somebody waits for what this request brings."""
    protocol, known = connection
    running = known.get("application_instance")
    answered = running is None or running.done() or "disconnected" in known
    return not answered and not isinstance(protocol, WebSocketProtocol)


web_drain = WebDrain()


def _noting_port(drain: WebDrain, original: Any) -> Any:
    def listen_success(server: Server, port: Any) -> None:
        drain.note_port(port)
        original(server, port)

    return listen_success


def _draining_first(drain: WebDrain, original: Any) -> Any:
    def kill_all_applications(server: Server) -> Any:
        """Called by Daphne when the reactor shall end; it waits for what this returns."""
        drained: Any = Deferred.fromFuture(asyncio.ensure_future(drain.run(server.connections)))
        drained.addErrback(lambda failure: log.error("web_drain_failed", error=repr(failure.value)))
        drained.addCallback(lambda _: kill(server))
        return drained

    def kill(server: Server) -> Any:
        for known in list(server.connections.values()):  # Daphne's own looks these up without asking
            known.setdefault("application_instance", _ended())
        return original(server)

    return kill_all_applications


def _ended() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_event_loop().create_future()
    future.set_result(None)
    return future
