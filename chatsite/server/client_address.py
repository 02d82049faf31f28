"""The client's address: the peer's, or the one that trusted proxies forward. Pure but for the setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from django.conf import settings
from django.http import HttpRequest

Network = IPv4Network | IPv6Network


def client_address(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """The nearest address that is no trusted proxy. `forwarded_for` (X-Forwarded-For) may be forged.

    It is read from the right, since each proxy appends whom it saw; what stands left of the first
    untrusted address is that client's own claim.
    """
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    address = peer
    while hops and _trusts(trusted, address):
        address = hops.pop()
    return address if _parse(address) else peer


def address_of_request(request: HttpRequest) -> str:
    """The client address of an HTTP request."""
    peer, forwarded = request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    return client_address(peer, forwarded, settings.TRUSTED_PROXIES)


def address_of_scope(scope: Mapping[str, Any]) -> str:
    """The client address of a websocket."""
    peer = (scope.get("client") or ("",))[0]
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return client_address(peer, ",".join(lines), settings.TRUSTED_PROXIES)


def is_trusted_proxy(address: str) -> bool:
    """Whether this is the address of a proxy of ours (CHATSITE_TRUSTED_PROXIES)."""
    return _trusts(settings.TRUSTED_PROXIES, address)


def _trusts(trusted: Sequence[Network], address: str) -> bool:
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in trusted)


@lru_cache(maxsize=1_024)
def _parse(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None
