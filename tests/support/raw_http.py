"""HTTP by hand: connections that do what no library does, as attackers' and broken clients' do."""

from __future__ import annotations

import socket

import httpx

from tests.support import site as sites
from tests.support.waiting import PATIENCE_S


def connect(site: sites.Site, begun: bytes = b"") -> socket.socket:
    """A connection on which this has been sent."""
    connection = socket.create_connection((sites.HOST, site.port), timeout=PATIENCE_S)
    connection.sendall(begun)
    return connection


def received(connection: socket.socket) -> bytes:
    """Everything until the server ends the connection."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def serves_visitors(site: sites.Site) -> bool:
    """Whether a visitor is served on a connection of their own."""
    answer = httpx.get(site.url + "/accounts/login/", trust_env=False, timeout=PATIENCE_S)
    return answer.status_code == 200
