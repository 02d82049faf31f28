"""Every setting of the site: its variable, rule and default. docs/settings.md describes them.

`read_environment` reads all of them at once, so that whoever starts the site learns of all that is wrong, in
one line each, before anything is created.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from chatsite.environment import BASE_DIR, parsers
from chatsite.environment.database_url import database_url
from inference import configuration
from inference.setting import (
    Setting,
    choice,
    flag,
    literal_text,
    nearest,
    problems,
    secret_text,
    shortened,
    text,
    whole,
)

EXIT_CODE = 2
"""Of a process that cannot start as it is set up."""

PREFIX = "CHATSITE_"

TEST_PREFIX = "CHATSITE_TEST_"
"""What the tests read; the site ignores it."""

SERVICE_LINK = re.compile(
    r"CHATSITE(_\w+)?_SERVICE_(HOST|PORT\w*)|CHATSITE(_\w+)?_PORT_\d+_(TCP|UDP|SCTP)\w*"
)
"""Variables that Kubernetes gives every container for a service named chatsite, besides `CHATSITE_PORT`."""

OIDC_SERVER = Setting(
    name="CHATSITE_OIDC_SERVER",
    parse=parsers.provider_address,
    rule="an https:// address",
    default="",
)

SERVING = (
    Setting(
        name="HOST",
        parse=parsers.listen_host,
        rule="an address or a name of this machine without a port, as in 127.0.0.1, or 0.0.0.0 for all",
        default="127.0.0.1",
    ),
    whole("PORT", 1, 65_535, 8000),
    Setting(
        name="CHATSITE_DATA_DIR",
        parse=parsers.folder,
        rule="the path of a directory",
        default=BASE_DIR / "var",
        literal=True,
    ),
    Setting(name="CHATSITE_ALLOWED_HOSTS", parse=parsers.allowed_hosts, default=[]),
    Setting(name="CHATSITE_TRUSTED_ORIGINS", parse=parsers.origins, default=[]),
    Setting(name="CHATSITE_API_ORIGINS", parse=parsers.origins_or_all, default=[]),
    Setting(
        name="CHATSITE_PUBLIC_URL",
        parse=parsers.origin,
        rule="scheme, host and port of the site, as in https://chat.example.org",
        default="",
    ),
    flag("CHATSITE_HTTPS", False),
    Setting(name="CHATSITE_TRUSTED_PROXIES", parse=parsers.networks, default=[]),
    Setting(
        name="CHATSITE_SECRET_KEY",
        parse=parsers.strong_key,
        rule=f"at least {parsers.MIN_KEY_CHARS} characters, {parsers.MIN_KEY_DIFFERENT} of them different",
        remedy="Make one with `openssl rand -base64 48`, or unset it: then the data directory keeps one.",
        default="",
        secret=True,
        literal=True,
    ),
    Setting(
        name="CHATSITE_SECRET_KEY_FALLBACKS", parse=parsers.former_keys, default=[], secret=True, literal=True
    ),
    Setting(name="CHATSITE_TIME_ZONE", parse=parsers.time_zone, default="UTC"),
    choice("CHATSITE_LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), "INFO", upper=True),
    choice("CHATSITE_LOG_FORMAT", ("console", "json")),
    flag("CHATSITE_DEBUG", False),
    Setting(name="EMAIL_URL", parse=parsers.email_url, secret=True),
    Setting(
        name="CHATSITE_MAIL_FROM",
        parse=parsers.mail_address,
        rule="an e-mail address in ASCII characters, as in chat@example.org",
        default="",
    ),
)

PEOPLE = (
    Setting(
        name="CHATSITE_ADMIN_EMAIL",
        parse=parsers.mail_address,
        rule="an e-mail address in ASCII characters, as in ada@example.org",
        default="admin@localhost.localdomain",
    ),
    secret_text("CHATSITE_ADMIN_PASSWORD"),
    flag("CHATSITE_STAFF_SECOND_FACTOR", False),
    flag("CHATSITE_STAFF_MAY_READ", False),
    OIDC_SERVER,
    text("CHATSITE_OIDC_CLIENT_ID"),
    secret_text("CHATSITE_OIDC_CLIENT_SECRET"),
    flag("CHATSITE_OIDC_SIGNUP", True),
    flag("CHATSITE_OIDC_ALLOW_HTTP", False),
    text("CHATSITE_OIDC_NAME", "Single sign-on"),
    Setting(name="CHATSITE_SIGNUP_DOMAINS", parse=parsers.domains, default=[]),
)

STORAGE = (
    Setting(name="DATABASE_URL", parse=database_url, secret=True),
    whole("CHATSITE_DATABASE_POOL", 1, 10_000, 16),
    whole("CHATSITE_DRAIN_S", 1, 86_400, 600),
    whole("CHATSITE_METRICS_PORT", 1, 65_535, 8001),
    Setting(
        name="CHATSITE_METRICS_TOKEN",
        parse=parsers.bearer_token,
        rule="printable ASCII without blanks around it, as a header carries it",
        default="",
        secret=True,
        literal=True,
    ),
)

LIMITS = (
    whole("RATE_LIMIT_PER_MINUTE", 1, default=300),
    whole("CHATSITE_WRONG_KEYS_PER_MINUTE", 1, default=30),
    whole("CHATSITE_UPLOADS_PER_MINUTE", 1, default=60),
    whole("CHATSITE_MAX_ACTIVE_GENERATIONS", 1, default=200),
    whole("CHATSITE_MAX_ACTIVE_PER_USER", 1, default=20),
    whole("CHATSITE_MAX_OUTPUT_TOKENS", 1, default=2048),
    literal_text("CHATSITE_SYSTEM_PROMPT"),
    choice("CHATSITE_REASONING", ("auto", "opened", "off")),
    flag("CHATSITE_TITLES", True),
    choice("CHATSITE_PREFIX_CACHE_DOMAIN", ("person", "group", "site")),
    whole("CHATSITE_MAX_UPLOAD_MB", 1, default=50),
    whole("CHATSITE_MAX_STORED_MB", 1, default=2048),
    whole("CHATSITE_MAX_ATTACHMENTS", 1, default=20),
    whole("CHATSITE_MAX_BATCH", 1, default=100),
    whole("CHATSITE_READ_SECONDS", 1, default=30),
    whole("CHATSITE_READ_MEMORY_MB", 1, default=768),
    whole("CHATSITE_READ_PAGES", 1, default=1000),
    whole("CHATSITE_READ_CHARS", 1, default=2_000_000),
    whole("CHATSITE_MAX_IMPORT_MB", 1, default=256),
    whole("CHATSITE_MAX_CONNECTIONS_PER_ADDRESS", 1, default=1000),
    whole("CHATSITE_MAX_SOCKETS", 1, default=2000),
    whole("CHATSITE_MAX_SOCKETS_PER_USER", 1, default=10),
)

SITE_SETTINGS = (*SERVING, *PEOPLE, *STORAGE, *LIMITS)

SETTINGS: dict[str, Setting] = {
    setting.name: setting for setting in (*SITE_SETTINGS, *configuration.SETTINGS)
}
"""Every variable of the site and of the inference tier, by its name."""


class ConfigurationError(ImproperlyConfigured):
    """The site cannot start as it is set up. The message has one line for each thing that is wrong."""


@contextmanager
def told_in_lines() -> Iterator[None]:
    """Ends the process with the lines of a ConfigurationError, in place of a traceback."""
    try:
        yield
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        raise SystemExit(EXIT_CODE) from error


def read_environment(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The value of every setting, by its variable. Raises ConfigurationError, having created nothing."""
    wrong = [*unknown_names(environment), *problems(SITE_SETTINGS, environment)]
    wrong += configuration.wrong_settings(environment)
    if not wrong:
        values = {name: setting.read(environment) for name, setting in SETTINGS.items()}
        wrong = [*_sign_on(values), *_sign_up(values), *_data_dir(values["CHATSITE_DATA_DIR"])]
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    return values


def unknown_names(environment: Mapping[str, str]) -> list[str]:
    """One line for each variable that begins like ours and is none."""
    wrong = []
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in SETTINGS or name.startswith(TEST_PREFIX):
            continue
        if SERVICE_LINK.fullmatch(name) or (name == f"{PREFIX}PORT" and "://" in environment[name]):
            continue
        bare = name.removeprefix(PREFIX)
        meant = bare if bare in SETTINGS else nearest(name, SETTINGS)
        offer = f"Did you mean {meant}?" if meant else "docs/settings.md lists them all."
        wrong.append(f"{name}: there is no such setting. {offer}")
    return wrong


def _sign_on(values: Mapping[str, Any]) -> list[str]:
    names = (OIDC_SERVER.name, "CHATSITE_OIDC_CLIENT_ID", "CHATSITE_OIDC_CLIENT_SECRET")
    missing = [name for name in names if not values[name]]
    if 0 < len(missing) < len(names):
        return [f"{', '.join(missing)}: needed for single sign-on too. Set it, or unset the others."]
    server = values[OIDC_SERVER.name]
    if server.startswith("http://") and not values["CHATSITE_OIDC_ALLOW_HTTP"]:
        return [
            f"{OIDC_SERVER.name}={shortened(server)}: must be an https:// address. For development alone, "
            "CHATSITE_OIDC_ALLOW_HTTP=true allows http:// too."
        ]
    return []


def oidc_provider(values: Mapping[str, Any]) -> dict[str, Any]:
    """The single sign-on provider as allauth wants it; empty where none is set."""
    if not values[OIDC_SERVER.name]:
        return {}
    app = {
        "provider_id": "sso",
        "name": values["CHATSITE_OIDC_NAME"],
        "client_id": values["CHATSITE_OIDC_CLIENT_ID"],
        "secret": values["CHATSITE_OIDC_CLIENT_SECRET"],
        "settings": {"server_url": values[OIDC_SERVER.name]},
    }
    return {"openid_connect": {"APPS": [app]}}


def _sign_up(values: Mapping[str, Any]) -> list[str]:
    domains = values["CHATSITE_SIGNUP_DOMAINS"]
    if not domains or values["EMAIL_URL"] or values[OIDC_SERVER.name]:
        return []
    return [
        f"CHATSITE_SIGNUP_DOMAINS={shortened(','.join(domains))}: people join by a link that is mailed, and "
        f"no mail server is set. Set EMAIL_URL, or {OIDC_SERVER.name} for single sign-on, or unset it."
    ]


def _data_dir(path: Path) -> list[str]:
    """Whether a data directory is there, or can be made."""
    shown = f"CHATSITE_DATA_DIR={shortened(str(path))}"
    try:
        existing = next(one for one in (path, *path.parents) if one.exists())
        if not existing.is_dir():
            return [f"{shown}: {existing} is a file. Name a directory, or a path at which one can be made."]
    except OSError as error:
        return [f"{shown}: {error.strerror}. Name another directory."]
    if not os.access(existing, os.W_OK | os.X_OK):
        return [
            f"{shown}: this user may not write into {existing}. Change its owner or name another directory."
        ]
    return []
