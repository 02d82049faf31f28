"""Reading the environment before Django is configured: one validated value at a time."""

from __future__ import annotations

import os
import secrets
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()


def positive(name: str, default: int) -> int:
    """A whole number of at least 1. Raises ImproperlyConfigured that names variable, value and rule."""
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    if not raw.isdigit() or int(raw) < 1:
        raise ImproperlyConfigured(
            f"{name}={raw!r}: must be a whole number of at least 1. Mend it or unset it (default {default})."
        )
    return int(raw)


def one_of(name: str, choices: tuple[str, ...]) -> str:
    """A setting with these values, the first of them the default. Raises ImproperlyConfigured."""
    value = env.str(name, choices[0])
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r}: must be one of {', '.join(choices)}.")
    return str(value)


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Comma-separated addresses or networks. Raises ImproperlyConfigured that names variable and value."""
    try:
        return [ip_network(part.strip()) for part in os.environ.get(name, "").split(",") if part.strip()]
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name}: {error}. It takes addresses or networks, as in 127.0.0.1, 10.0.0.0/8."
        ) from error


def oidc_provider() -> dict[str, Any]:
    """The single sign-on provider as allauth wants it; empty where none is set.

    Raises ImproperlyConfigured when only a part is set, naming what is missing.
    """
    names = ("CHATSITE_OIDC_SERVER", "CHATSITE_OIDC_CLIENT_ID", "CHATSITE_OIDC_CLIENT_SECRET")
    server, client, secret = (os.environ.get(name, "").strip() for name in names)
    if not (server or client or secret):
        return {}
    missing = [name for name, value in zip(names, (server, client, secret), strict=True) if not value]
    if missing:
        raise ImproperlyConfigured(
            f"Single sign-on needs {', '.join(missing)} too. Set it, or unset the others."
        )
    app = {
        "provider_id": "sso",
        "name": os.environ.get("CHATSITE_OIDC_NAME", "").strip() or "Single sign-on",
        "client_id": client,
        "secret": secret,
        "settings": {"server_url": server},
    }
    return {"openid_connect": {"APPS": [app], "OAUTH_PKCE_ENABLED": True}}


def data_dir() -> Path:
    """Where everything that must be kept lies: database, models, secret key. Created on first use."""
    path = Path(env.str("CHATSITE_DATA_DIR", str(BASE_DIR / "var"))).expanduser().resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path


def secret_key(directory: Path) -> str:
    """CHATSITE_SECRET_KEY, else one made once and kept in the data directory, for its owner alone."""
    if given := env.str("CHATSITE_SECRET_KEY", ""):
        return str(given)
    path = directory / "secret_key"
    try:
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(fd, "w") as file:
        file.write(secrets.token_urlsafe(48))
    return path.read_text().strip()
