"""Open connections of this process: capped by address and in all, at accept, before anything is read.

A connection that waits for its client (a request that is not whole, or none) gives way to a new one where
there is no room: the one that has waited longest first. So half-open connections, however many, cost a
visitor nothing: whoever sends a request at once is served.
"""

from __future__ import annotations

import resource
from collections import Counter, defaultdict
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Protocol

import structlog
from django.conf import settings

from chatsite import metrics
from chatsite.server.client_address import is_trusted_proxy

WANTED_DESCRIPTORS = 65_536
"""File descriptors that a process asks for; it gets what the system's hard limit allows."""

KEPT_DESCRIPTORS = 256
"""Left for databases, files and pipes when connections have taken the rest."""

log = structlog.get_logger(__name__)


class Waiting(Protocol):
    """A connection that waits for its client, as the table sees it."""

    def drop(self) -> None:
        """Close it now; it leaves the table by itself."""


def raise_descriptor_limit() -> int:
    """Raise this process's limit on file descriptors towards WANTED_DESCRIPTORS; returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, WANTED_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return WANTED_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def counted_address(host: str) -> str:
    """What counts as one client: an IPv4 address, or an IPv6 /64 network; "" for a local socket."""
    try:
        address: IPv4Address | IPv6Address = ip_address(host)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)


class OpenConnections:
    """Connections by address, and which of them wait. Knows no network: transports are keys."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._address_of: dict[Any, str] = {}
        self._open: Counter[str] = Counter()
        self._waiting: dict[Waiting, str] = {}
        self._waiting_at: defaultdict[str, dict[Waiting, None]] = defaultdict(dict)
        self._refused: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._address_of)

    def admit(self, host: str) -> bool:
        """Whether a new connection from there is taken; one that waits is dropped where there is no room."""
        address = counted_address(host)
        if self._open[address] >= self._most_of(address) and not self._drop_first(self._waiting_at[address]):
            self._count("address")
            return False
        if len(self) >= self._capacity and not self._drop_first(self._waiting):
            self._count("full")
            return False
        return True

    def enter(self, transport: Any, host: str) -> None:
        address = counted_address(host)
        self._address_of[transport] = address
        self._open[address] += 1

    def leave(self, transport: Any) -> None:
        """It is closed; again does nothing."""
        address = self._address_of.pop(transport, None)
        if address is None:
            return
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]
            self._waiting_at.pop(address, None)

    def wait(self, connection: Waiting, transport: Any) -> None:
        """This connection waits for its client from now on, behind all that wait already."""
        if (address := self._address_of.get(transport)) is not None:
            self._waiting[connection] = address
            self._waiting_at[address][connection] = None

    def busy(self, connection: Waiting) -> None:
        """This connection waits no longer: its request is whole, or it is closed."""
        address = self._waiting.pop(connection, None)
        if address is not None and (here := self._waiting_at.get(address)) is not None:
            here.pop(connection, None)

    def refused(self) -> dict[str, int]:
        """How many connections were refused or dropped since the last call, by reason."""
        found, self._refused = dict(self._refused), Counter()
        return found

    def _most_of(self, address: str) -> int:
        """A trusted proxy stands for everybody and has no cap; one address never fills the site."""
        if not address or is_trusted_proxy(address):
            return self._capacity
        most: int = settings.MAX_CONNECTIONS_PER_ADDRESS
        return min(most, self._capacity * 3 // 4)

    def _drop_first(self, waiting: dict[Waiting, Any]) -> bool:
        first = next(iter(waiting), None)
        if first is None:
            return False
        self.busy(first)
        self._count("waiting")
        first.drop()
        return True

    def _count(self, reason: str) -> None:
        metrics.connections_refused.labels(reason).inc()
        self._refused[reason] += 1
