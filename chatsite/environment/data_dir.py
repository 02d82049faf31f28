"""The data directory: private to the user that runs the site, and the secret key in it."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chatsite.environment.database_url import sqlite
from chatsite.environment.declared import ConfigurationError
from chatsite.environment.existing import has_tables

DATABASE = "chatsite.sqlite3"

KEY = "secret_key"

PRIVATE_UMASK = 0o077

OURS = frozenset(
    {
        DATABASE,
        KEY,
        "inference.lock",
        "serve.lock",
        "writes.lock",
        "archive",
        "attachments",
        "models",
        "static",
    }
)
"""What the site itself puts into the data directory."""

BESIDE_DATABASE = ("", "-wal", "-shm", "-journal", ".lock")
"""Suffixes of a SQLite database and of the files that lie beside it."""


def prepare_data_dir(path: Path) -> None:
    """Make the directory, for this user alone; from here on every file that is made is private too."""
    os.umask(PRIVATE_UMASK)
    path.mkdir(parents=True, exist_ok=True)
    mend_modes(path)


def mend_modes(path: Path) -> None:
    """Take other accounts' rights from what is the site's own here.

    The directory's own mode changes only where everything in it is the site's: somebody may have pointed the
    site at a directory that holds other things too. What lies in our folders is closed by the folder's mode.
    """
    entries = list(path.iterdir())
    for entry in entries:
        if is_ours(entry.name):
            _make_private(entry)
    if all(is_ours(entry.name) for entry in entries):
        _make_private(path)


def make_database_private(path: Path) -> None:
    """The same for a SQLite database that lies elsewhere."""
    for suffix in BESIDE_DATABASE:
        _make_private(path.with_name(path.name + suffix))


def is_ours(name: str) -> bool:
    """Whether an entry of the data directory with this name is the site's own."""
    return name in OURS or name.startswith((f"{DATABASE}-", f"{DATABASE}.", f".{KEY}-", "attachments."))


def _make_private(path: Path) -> None:
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode) or found.st_uid != os.geteuid():
            return
        if found.st_mode & PRIVATE_UMASK:
            path.chmod(stat.S_IMODE(found.st_mode) & ~PRIVATE_UMASK)
    except FileNotFoundError:
        return


def site_database(values: Mapping[str, Any]) -> dict[str, Any]:
    """Django's settings of the database: that of DATABASE_URL, else one in the data directory."""
    return values["DATABASE_URL"] or sqlite(values["CHATSITE_DATA_DIR"] / DATABASE)


def kept_secret_key(directory: Path, database: dict[str, Any], *, restoring: bool = False) -> str:
    """The key kept in the data directory, made where there is none. Raises ConfigurationError.

    A key that is missing beside a database is not made anew: it would sign everybody out, and second factors
    encrypted with the former one could never be read again. `restoring` a backup brings the key.
    """
    path = directory / KEY
    try:
        key = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        if restoring:
            return _new_key()
        if has_tables(database):
            raise ConfigurationError(
                _lost(path, "is missing beside a database that was made with it")
            ) from None
        return _made(path)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigurationError(_lost(path, f"cannot be read ({why})")) from None
    if not key:
        if restoring:
            return _new_key()
        raise ConfigurationError(_lost(path, "is empty"))
    return key


def _new_key() -> str:
    return secrets.token_urlsafe(48)


def _made(path: Path) -> str:
    """A new key, written beside and linked into place: it is there whole or not at all, and of processes
    that start at once the first one's is everybody's."""
    beside = path.with_name(f".{KEY}-{os.getpid()}-{secrets.token_hex(4)}")
    fd = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(fd, "w") as file:
            file.write(_new_key())
            file.flush()
            os.fsync(file.fileno())
        os.link(beside, path)
    except FileExistsError:
        pass
    except OSError as error:
        raise ConfigurationError(
            f"CHATSITE_DATA_DIR={str(path.parent)!r}: the secret key cannot be kept there "
            f"({error.strerror}). Set CHATSITE_SECRET_KEY."
        ) from None
    finally:
        beside.unlink()
    return path.read_text(encoding="utf-8").strip()


def _lost(path: Path, what: str) -> str:
    return (
        f"CHATSITE_DATA_DIR={str(path.parent)!r}: its file {KEY} {what}. Put it back from a backup, set "
        "CHATSITE_SECRET_KEY to the former key, or, where it is lost for good, to a new one: then everybody "
        "signs in anew and sets up second factors again."
    )
