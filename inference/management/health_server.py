"""The inference process's own port: Prometheus' figures, and `/healthz`, which tells of this process alone.

It answers in a thread of its own, so that an event loop that hangs is told, and not merely silent.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from inference.worker.liveness import Liveness


class SilentHandler(WSGIRequestHandler):
    """Logs no requests: a line for every probe would hide what matters."""

    def log_message(self, format: str, *args: object) -> None:
        pass


def start_health_server(host: str, port: int, liveness: Liveness) -> None:
    """Serve until the process ends. Raises OSError where the address cannot be had."""
    metrics: Any = make_wsgi_app()

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/healthz":
            answer: Iterable[bytes] = metrics(environ, start_response)
            return answer
        body = json.dumps(told(liveness)).encode() + b"\n"
        status = "200 OK" if liveness.alive else "503 Service Unavailable"
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    class Server(ThreadingWSGIServer):
        """Of the address' family."""

        address_family = socket.getaddrinfo(host, port, flags=socket.AI_PASSIVE)[0][0]

    server = make_server(host, port, application, Server, handler_class=SilentHandler)
    Thread(target=server.serve_forever, name="health-server", daemon=True).start()


def told(liveness: Liveness) -> dict[str, Any]:
    """What `/healthz` says: role, and seconds since the loop turned and the queue was read."""
    read = liveness.intake_age_s
    return {
        "role": liveness.role,
        "loop_age_s": round(liveness.loop_age_s, 1),
        "intake_age_s": None if read is None else round(read, 1),
    }
