"""The site's own origins: which websockets are the site's own, and where links in mails lead.

A browser's Origin is compared whole, with scheme and port: another service on the same host is another site.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host

DEFAULT_PORTS = {"http": 80, "https": 443}


def normal_origin(url: str) -> str:
    """Scheme, host and port as in `https://chat.example.org:8443`, default ports left out; "" for none."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if parts.scheme not in DEFAULT_PORTS or not host or parts.username is not None:
        return ""
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return ""
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + ("" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}")


def public_origin() -> str:
    """Where links in mails lead: CHATSITE_PUBLIC_URL, else what the other settings say; never a request."""
    for configured in (settings.PUBLIC_URL, *settings.CSRF_TRUSTED_ORIGINS):
        if "*" not in configured and (found := normal_origin(configured)):
            return found
    named = next((host for host in settings.ALLOWED_HOSTS if not host.startswith((".", "*"))), "localhost")
    return f"https://{named}" if settings.HTTPS else normal_origin(f"http://{named}:{settings.PORT}")


def mailed_link(path: str) -> str:
    """An address of this site for a mail."""
    return public_origin() + path


def shown_link(request: HttpRequest, path: str) -> str:
    """An address of this site to copy from a page: as the page was opened, where nothing is configured."""
    return public_origin() + path if settings.PUBLIC_URL else request.build_absolute_uri(path)


class OwnOriginOnly:
    """ASGI middleware: refuses websockets that another origin's page opens."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if is_own_origin(scope["headers"]):
            await self._application(scope, receive, send)
        else:
            await WebsocketDenier()(scope, receive, send)


def is_own_origin(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a handshake comes from a page of this site: at the address that it asks, or a trusted one."""
    found: dict[bytes, list[str]] = {b"origin": [], b"host": [], b"x-forwarded-proto": []}
    for name, value in headers:
        if name in found:
            found[name].append(value.decode("latin-1"))
    origins, hosts = found[b"origin"], found[b"host"]
    if len(origins) != 1 or len(hosts) != 1:
        return False
    origin = normal_origin(origins[0])
    if not origin or origins[0].endswith("/"):
        return False
    if origin in {
        normal_origin(trusted) for trusted in (settings.PUBLIC_URL, *settings.CSRF_TRUSTED_ORIGINS)
    }:
        return True
    host, _port = split_domain_port(hosts[0])
    secure = settings.HTTPS and found[b"x-forwarded-proto"][-1:] in (["https"], ["wss"])
    asked = normal_origin(f"{'https' if secure else 'http'}://{hosts[0]}")
    return origin == asked and validate_host(host, settings.ALLOWED_HOSTS)
