"""Access lines: one structured line for each request and websocket, in place of Daphne's own access log.

They hold the path without its query string, since what people search for stands there; secret parts of the
path are masked like those of all lines (chatsite/logs.py). Static files, health checks and metrics are
debug lines.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote, unquote

import structlog
from daphne.http_protocol import HTTPFactory
from daphne.server import Server

QUIET = ("/static/", "/healthz", "/readyz", "/metrics")

log = structlog.get_logger(__name__)
_levels = logging.getLogger(__name__)


def replace_access_log() -> None:
    """Make every Daphne server of this process write these lines, whatever access log it was given.

    Twisted's own line of each request went nowhere, but was made.
    """
    Server.log_action = log_action
    HTTPFactory.log = _log_nothing


def _log_nothing(_factory: HTTPFactory, _request: Any) -> None:
    """For HTTPFactory.log."""


def log_action(_server: Server, protocol: str, action: str, details: dict[str, Any]) -> None:
    """Called by Daphne for each answered request, and as a websocket opens and closes."""
    path = one_spelling(str(details["path"]).partition("?")[0])
    level = logging.DEBUG if path.startswith(QUIET) or action == "connecting" else logging.INFO
    if not _levels.isEnabledFor(level):  # structlog makes the whole line before it asks
        return
    fields = {"path": path, "peer": details["client"]}
    if protocol == "http":
        fields |= {
            "method": details["method"],
            "status": details["status"],
            "ms": round(details["time_taken"] * 1_000, 1),
            "bytes": details["size"],
        }
    log.log(level, "request" if protocol == "http" else f"websocket_{action}", **fields)


def one_spelling(path: str) -> str:
    """The path as it is written usually: `/%69nvite/` is the same address, and its secret is masked too."""
    return quote(unquote(path), safe="/:@!$&'()*+,;=~")
