"""DATABASE_URL: the address of a PostgreSQL or SQLite database as Django's settings.

Everything up to the last `@` before hosts is user and password, so neither needs encoding; messages repeat
nothing of the address but its scheme, since any other part of a wrong one may be a part of the password.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from inference.addresses import LAST_PORT
from inference.setting import RuleError, did_you_mean

POSTGRES_SCHEMES = ("postgres", "postgresql", "pgsql", "psql")

HOSTS = r"(?:(?:\[[^\]/@]*\]|[^\[\]:,/@?#]*)(?::[^:,/@?#]*)?)"

POSTGRES = re.compile(
    rf"(?:(?P<credentials>.*)@)?(?P<hosts>{HOSTS}(?:,{HOSTS})*)/(?P<name>[^/?#@]*)(?:\?(?P<query>[^?#]*))?",
    re.DOTALL,
)
"""After `postgres://`. The greedy credentials take every `@` that leaves a whole address behind it."""

EXAMPLE = "postgres://user:password@host:5432/name"

ENCODE = "Encode with % what a URL reserves in a password, as %2F for /."

CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "load_balance_hosts": ("disable", "random"),
    "sslnegotiation": ("postgres", "direct"),
}
"""libpq's options with a few values; https://www.postgresql.org/docs/current/libpq-connect.html."""

WHOLE_OPTIONS = frozenset(
    {"connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
     "tcp_user_timeout"}
)  # fmt: skip

OWN_PARTS = frozenset({"user", "password", "dbname", "port"})
"""Options that have a place of their own in the address."""


def database_url(value: str) -> dict[str, Any]:
    """Django's settings of one database. Raises RuleError."""
    scheme, found, rest = value.partition("://")
    if not found or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,19}", scheme):
        raise RuleError(
            f"must be the address of a database, as in {EXAMPLE}. Correct it, or unset it for SQLite."
        )
    if scheme.lower() == "sqlite":
        return _sqlite(rest)
    if scheme.lower() not in POSTGRES_SCHEMES:
        offer = did_you_mean(scheme.lower(), ("postgres", "sqlite"))
        raise RuleError(
            f"{scheme}:// is no database of this site, which takes postgres:// or sqlite:///.{offer}"
        )
    return _postgres(rest)


def _sqlite(rest: str) -> dict[str, Any]:
    path = unquote(rest.removeprefix("/"))
    if not rest.startswith("/") or path in {"", ":memory:"} or re.search(r"[?#]|%(?![0-9A-Fa-f]{2})", rest):
        raise RuleError(
            "must be sqlite:/// and the path of a file, where ?, # and % are written as %3F, %23 and %25. "
            "Correct it, or unset it: the file then lies in CHATSITE_DATA_DIR, whose path is taken as it is."
        )
    return sqlite(Path(path).absolute())


def sqlite(path: Path) -> dict[str, Any]:
    """Django's settings of the SQLite database in this file."""
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": {}}


def _postgres(rest: str) -> dict[str, Any]:
    found = POSTGRES.fullmatch(rest)
    if not found:
        raise RuleError(f"must be like {EXAMPLE}. {ENCODE}")
    hosts, ports = _hosts(found["hosts"])
    user, _, password = (found["credentials"] or "").partition(":")
    options = _options(found["query"] or "")
    name = unquote(found["name"])
    if not name and "service" not in options:
        raise RuleError(f"must name a database after the host, as in {EXAMPLE}. {ENCODE}")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(user),
        "PASSWORD": unquote(password),
        "HOST": options.pop("host", "") or hosts,
        "PORT": ports,
        "OPTIONS": options,
    }


def _hosts(text: str) -> tuple[str, str]:
    """Hosts and ports as libpq takes them, each separated by commas."""
    hosts, ports = [], []
    for part in text.split(",") if text else []:
        host, port = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(.*))?", part).groups(default="")  # type: ignore[union-attr]
        if port and not (port.isascii() and port.isdigit() and 1 <= int(port) <= LAST_PORT):
            raise RuleError(f"the port must be a whole number from 1 to {LAST_PORT}. {ENCODE}")
        hosts.append(unquote(host).strip("[]"))
        ports.append(port)
    return ",".join(hosts), ",".join(ports) if any(ports) else ""


def _options(query: str) -> dict[str, Any]:
    """libpq's options, those with few values checked."""
    options: dict[str, Any] = {}
    known = _known_options()
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise RuleError(
            f"its options must be like ?sslmode=verify-full&connect_timeout=5. {ENCODE}"
        ) from None
    for name, value in pairs:
        if name not in known:
            raise RuleError(
                f"has an option that PostgreSQL's clients do not know.{did_you_mean(name, known)}"
            )
        if name in CHOICES and value not in CHOICES[name]:
            raise RuleError(
                f"{name} must be one of {', '.join(CHOICES[name])}.{did_you_mean(value, CHOICES[name])}"
            )
        if name in WHOLE_OPTIONS and not (value.isascii() and value.isdigit() and len(value) < 10):
            raise RuleError(f"{name} must be a whole number.")
        options[name] = value
    return options


def _known_options() -> set[str]:
    from psycopg.pq import Conninfo  # loading it costs time that a site on SQLite saves

    return {option.keyword.decode() for option in Conninfo.get_defaults()} - OWN_PARTS
