"""Addresses of servers in settings, split so that a password may hold any character.

In `scheme://user:password@host:port/…` everything between `//` and the last `@` is user and password, so a
password needs no encoding of `#`, `?`, `/`, `:` or `@`. Percent-encoding is undone where it is one.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

from inference.setting import RuleError, Setting

ADDRESS = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<credentials>.*)@)?(?P<rest>[^@]*)", re.DOTALL
)

HOST = re.compile(r"\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+")
"""A name, an IPv4 address, or an IPv6 address in brackets."""

LAST_PORT = 65_535


class ServerAddress(NamedTuple):
    """The parts of an address. `rest` is what follows the credentials, as it was written."""

    scheme: str
    user: str
    password: str
    rest: str


def split_address(text: str) -> ServerAddress:
    """Raises ValueError for what has no scheme. Its message holds nothing of the text."""
    found = ADDRESS.fullmatch(text)
    if not found:
        raise ValueError("no address")
    user, _, password = (found["credentials"] or "").partition(":")
    return ServerAddress(found["scheme"].lower(), unquote(user), unquote(password), found["rest"])


def split_host(text: str) -> tuple[str, int | None]:
    """Host and port of `host:port`. Raises ValueError."""
    host, colon, port = text.rpartition(":") if re.search(r":\d*$", text) else (text, "", "")
    if not HOST.fullmatch(host) or (colon and not 1 <= int(port or 0) <= LAST_PORT):
        raise ValueError("no host and port")
    return host, int(port) if port else None


def _redis_url(value: str) -> str:
    """The address with credentials encoded, as clients of Redis read it."""
    try:
        address = split_address(value)
        if address.scheme in {"redis", "rediss"}:
            place = re.fullmatch(r"(?P<host>[^/?#]*)(?:/(?P<number>\d*))?(?P<query>\?[^#]*)?", address.rest)
            if not place:
                raise ValueError
            if place["host"] and place["host"] != ":":
                split_host(place["host"])
        elif address.scheme != "unix" or not address.rest.startswith("/"):
            raise ValueError
        credentials = ""
        if address.user or address.password:
            password = f":{quote(address.password, safe='')}" if address.password else ""
            credentials = f"{quote(address.user, safe='')}{password}@"
        url = f"{address.scheme}://{credentials}{address.rest}"
        from redis.connection import parse_url  # a tenth of a second that a site without it saves

        parse_url(url)  # type: ignore[no-untyped-call]
    except ValueError:
        raise RuleError(
            "must be an address of Redis. It takes redis://:password@host:6379/0, rediss:// for TLS, or a "
            "socket, as in unix:///run/redis/redis.sock?db=0."
        ) from None
    return url


REDIS_URL = Setting(name="REDIS_URL", parse=_redis_url, default="", secret=True)
