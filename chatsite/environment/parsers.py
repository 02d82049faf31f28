"""What single settings of the site hold: hosts, origins, networks, time zones, domains, addresses, paths.

Each parser takes the text of a variable and raises ValueError where its rule is broken, RuleError with a
sentence of its own.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from inference.addresses import split_address, split_host
from inference.setting import RuleError, did_you_mean

MIN_KEY_CHARS, MIN_KEY_DIFFERENT = 16, 5
"""Of a secret key: what nobody tries out. One that is made here has 64 characters."""

HOST_NAME = re.compile(
    r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
)

DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]|localhost")

MAIL_BACKENDS = {
    "smtp": "smtp", "smtps": "smtp", "smtp+tls": "smtp", "smtp+ssl": "smtp",
    "consolemail": "console", "filemail": "filebased", "memorymail": "locmem", "dummymail": "dummy",
}  # fmt: skip

MAIL_PORTS = {"smtp": 25, "smtps": 465, "smtp+tls": 587, "smtp+ssl": 465}

IMPLICIT_TLS_PORT = 465
"""Where `smtps` speaks TLS from the first byte; elsewhere it begins with STARTTLS."""


def comma_parts(value: str) -> list[str]:
    """The parts between commas, without blanks and empty ones."""
    return [part.strip() for part in value.split(",") if part.strip()]


def listen_host(value: str) -> str:
    """An address or a name to listen on, without scheme and port."""
    try:
        ip_address(value.strip("[]"))
    except ValueError:
        # What looks like an IPv4 address and is none is no name either.
        if not HOST_NAME.fullmatch(value) or re.fullmatch(r"[\d.]+", value):
            raise
    return value


def allowed_hosts(value: str) -> list[str]:
    """Names as they stand in a Host header: no scheme, no port, no path."""
    for host in comma_parts(value):
        if "://" in host:
            raise RuleError(f"{host!r} has a scheme. Give the name alone, as in chat.example.org.")
        if _is_bare_ipv6(host):
            raise RuleError(f"{host!r}: an IPv6 address stands in brackets. Write [{host}].")
        if "/" in host or re.search(r":\d*$", host.rpartition("]")[2]):
            raise RuleError(f"{host!r} has a port or a path. Give the name alone, as in chat.example.org.")
        if host != "*" and not host.startswith("["):
            if not HOST_NAME.fullmatch(host.removeprefix(".")):
                raise RuleError(
                    f"{host!r} is no name of a host. Give names as in chat.example.org, .example.org for all "
                    "below it, an international name in its xn-- form."
                )
        elif host != "*" and not _is_bare_ipv6(host[1:-1] if host.endswith("]") else ""):
            raise RuleError(f"{host!r} is no IPv6 address in brackets, as in [::1].")
    return comma_parts(value)


def _is_bare_ipv6(text: str) -> bool:
    try:
        return ip_address(text).version == 6
    except ValueError:
        return False


def origin(value: str) -> str:
    """Scheme and host, with a port that is not the scheme's own; no path."""
    found = value.rstrip("/")
    split = urlsplit(found)
    if split.scheme not in {"http", "https"} or split.path or split.query or split.fragment:
        raise ValueError
    split_host(split.netloc.removeprefix("*."))
    return found


def origins(value: str) -> list[str]:
    """Origins, `*.` for all below a host."""
    found = []
    for part in comma_parts(value):
        try:
            found.append(origin(part))
        except ValueError:
            raise RuleError(
                f"{part!r} is no origin. Give scheme and host without a path, as in https://chat.example.org."
            ) from None
    return found


def origins_or_all(value: str) -> list[str]:
    """Origins, or `*` for every page."""
    return ["*"] if value.strip() == "*" else origins(value)


def networks(value: str) -> list[IPv4Network | IPv6Network]:
    """Addresses or networks."""
    found = []
    for part in comma_parts(value):
        try:
            found.append(ip_network(part))
        except ValueError as error:
            text = str(error).rstrip(".")
            raise RuleError(f"{text}. It takes addresses or networks, as in 127.0.0.1, 10.0.0.0/8.") from None
    return found


def time_zone(value: str) -> str:
    """A name of the time zone database."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        offer = did_you_mean(value, available_timezones(), 0.85)
        raise RuleError(
            "is no time zone that this machine knows. Give a name of the tz database, as in Asia/Shanghai or "
            f"Europe/Berlin.{offer}"
        ) from None
    return value


def domains(value: str) -> list[str]:
    """Domains of e-mail addresses: what stands behind the @."""
    found = [part.lower() for part in comma_parts(value)]
    for domain in found:
        if not DOMAIN.fullmatch(domain):
            raise RuleError(
                f"{domain!r} is no domain. Give what stands behind the @ of an address, as in example.org."
            )
    return found


def mail_address(value: str) -> str:
    """Something like an e-mail address; `chatsite.accounts.addresses` has the whole rule."""
    local, _, domain = value.rpartition("@")
    for character in value:
        if not "!" <= character <= "~":
            raise RuleError(
                f"must be an e-mail address in ASCII characters, and holds U+{ord(character):04X}. Write an "
                "international domain in its xn-- form."
            )
    if not local or not DOMAIN.fullmatch(domain.lower()):
        raise ValueError
    return value


def mail_sender(user: str, public_url: str) -> str:
    """The sender where none is set: the mail server's user, if an address, else one at the site's name."""
    return user if "@" in user else f"chatsite@{urlsplit(public_url).hostname or 'localhost'}"


def strong_key(value: str) -> str:
    """Long enough that nobody tries it out."""
    if len(value) < MIN_KEY_CHARS or len(set(value)) < MIN_KEY_DIFFERENT:
        raise ValueError
    return value


def former_keys(value: str) -> list[str]:
    """Former secret keys: as they stood, since what they signed is still to be read."""
    return [part for part in value.split(",") if part]


def bearer_token(value: str) -> str:
    """What can stand in a header."""
    if not (value.isascii() and value.isprintable()) or value != value.strip():
        raise ValueError
    return value


def email_url(value: str) -> dict[str, Any]:
    """Django's settings of the mail server."""
    try:
        address = split_address(value)
        if address.scheme not in MAIL_BACKENDS:
            raise RuleError(
                f"must be like smtp+tls://user:password@host:587. Its scheme is one of "
                f"{', '.join(MAIL_BACKENDS)}.{did_you_mean(address.scheme, MAIL_BACKENDS)}"
            )
        if address.scheme not in MAIL_PORTS:
            host, port, path = "localhost", None, address.rest
        else:
            host, port = split_host(address.rest.removesuffix("/"))
            path = ""
    except RuleError:
        raise
    except ValueError:
        raise RuleError(
            "must be like smtp+tls://user:password@host:587, with a port from 1 to 65535 at its end."
        ) from None
    port = port or MAIL_PORTS.get(address.scheme)
    implicit = address.scheme == "smtp+ssl" or (address.scheme == "smtps" and port == IMPLICIT_TLS_PORT)
    return {
        "EMAIL_BACKEND": f"django.core.mail.backends.{MAIL_BACKENDS[address.scheme]}.EmailBackend",
        "EMAIL_HOST": host.strip("[]"),
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": address.user,
        "EMAIL_HOST_PASSWORD": address.password,
        "EMAIL_USE_SSL": implicit,
        "EMAIL_USE_TLS": address.scheme in {"smtps", "smtp+tls"} and not implicit,
        "EMAIL_FILE_PATH": path,
    }


def provider_address(value: str) -> str:
    """The OpenID Connect provider's address; whether http:// is allowed is another setting's."""
    split = urlsplit(value)
    if split.scheme not in {"http", "https"} or not split.hostname or split.port == 0 or "@" in split.netloc:
        raise ValueError
    return value


def folder(value: str) -> Path:
    """A path, `~` for the home directory."""
    try:
        return Path(value).expanduser().resolve()
    except (RuntimeError, OSError):
        raise ValueError from None
