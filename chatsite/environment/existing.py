"""A look at the database before Django: whether it answers, and whether it holds a site already.

Nothing is created by it, and a database that is away is told within seconds and with its cause.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from chatsite.environment.declared import ConfigurationError
from inference.setting import shortened

CONNECT_TIMEOUT_S = 5
"""For one host; a database on the same network answers in milliseconds."""

MIGRATIONS = "django_migrations"
"""The table that the first migration makes."""


def has_tables(database: dict[str, Any]) -> bool:
    """Whether the site's tables are there. Raises ConfigurationError where the database cannot be asked."""
    if database["ENGINE"].endswith("sqlite3"):
        return _sqlite_has_tables(Path(database["NAME"]))
    return _postgres_has_tables(database)


def _sqlite_has_tables(path: Path) -> bool:
    name = f"DATABASE_URL: the SQLite database {shortened(str(path))}"
    if not path.exists():
        return False
    if not path.is_file():
        raise ConfigurationError(f"{name} is no file. Name another path, or move away what is there.")
    if not path.stat().st_size:
        return False
    try:
        # Only read: a database of the past is not changed before it is known to be one.
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [MIGRATIONS]).fetchone()
    except sqlite3.Error as error:
        raise ConfigurationError(
            f"{name} cannot be read ({error}). Restore a backup of it, or name another path."
        ) from None
    return found is not None


def _postgres_has_tables(database: dict[str, Any]) -> bool:
    import psycopg

    try:
        with psycopg.connect(**connection_parameters(database), autocommit=True) as connection:
            row = connection.execute("SELECT to_regclass(%s)", [MIGRATIONS]).fetchone()
    except psycopg.Error as error:
        lines = [line.strip().removeprefix("connection failed: ") for line in str(error).splitlines()]
        cause = "; ".join(line for line in lines if line and not line.endswith("?"))
        raise ConfigurationError(
            f"DATABASE_URL: the database does not answer: {cause}. Start it, or correct the address."
        ) from None
    return row is not None and row[0] is not None


def connection_parameters(database: dict[str, Any]) -> dict[str, Any]:
    """What psycopg needs for one connection, with the options of DATABASE_URL."""
    parts = {
        "host": database["HOST"],
        "port": database["PORT"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "dbname": database["NAME"],
    }
    options = {name: value for name, value in database["OPTIONS"].items() if name != "pool"}
    return (
        {"connect_timeout": CONNECT_TIMEOUT_S}
        | options
        | {name: value for name, value in parts.items() if value}
    )
