"""What is looked at before a process of the site starts, and before it creates anything."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from chatsite.environment.data_dir import site_database
from chatsite.environment.declared import ConfigurationError, read_environment
from chatsite.environment.existing import has_tables
from inference.engines.choice import choose_engine
from inference.management.serve_lock import check_unserved
from inference.scheduling.policy import Policy
from inference.setting import SettingError


def preflight(command: str) -> None:
    """Check what this command of manage.py needs. Raises ConfigurationError."""
    values = read_environment()
    data_dir: Path = values["CHATSITE_DATA_DIR"]
    serving: dict[str, list[Callable[[], None]]] = {
        "serve": [
            partial(check_unserved, data_dir),
            partial(_check_engine, data_dir),
            partial(check_bindable, values["HOST"], "PORT", values["PORT"]),
        ],
        "inference_worker": [
            partial(_check_redis, values),
            partial(_check_engine, data_dir),
            partial(check_bindable, values["HOST"], "CHATSITE_METRICS_PORT", values["CHATSITE_METRICS_PORT"]),
        ],
        "migrate": [],
    }  # fmt: skip
    if command in serving:
        _run([*serving[command], partial(_check_database, values)])


def _run(checks: list[Callable[[], None]]) -> None:
    wrong = []
    for check in checks:
        try:
            check()
        except (ConfigurationError, SettingError) as error:
            wrong.append(str(error))
    if wrong:
        raise ConfigurationError("\n".join(wrong))


def _check_engine(data_dir: Path) -> None:
    choice = choose_engine(os.environ, data_dir)
    Policy.from_env(os.environ, **choice.policy)


def _check_redis(values: Mapping[str, Any]) -> None:
    if not values["REDIS_URL"]:
        raise ConfigurationError(
            "REDIS_URL is not set: an inference process of its own reaches web processes through Redis. "
            "Set it, or run everything in one process with `manage.py serve`."
        )


def _check_database(values: Mapping[str, Any]) -> None:
    database = site_database(values)
    has_tables(database)
    folder = Path(database["NAME"]).parent
    if values["DATABASE_URL"] and database["ENGINE"].endswith("sqlite3") and not os.access(folder, os.W_OK):
        why = "this user may not write into" if folder.is_dir() else "there is no directory"
        raise ConfigurationError(f"DATABASE_URL: {why} {str(folder)!r}, where the SQLite database is to lie.")


def check_bindable(host: str, variable: str, port: int) -> None:
    """Try to bind before the server does, whose own failure is a log line. Raises ConfigurationError."""
    shown = f"HOST={host} {variable}={port}: cannot listen there"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        what = "HOST" if isinstance(error, socket.gaierror) else f"{variable} or HOST"
        raise ConfigurationError(f"{shown} ({error.strerror}). Choose another {what}.") from None
