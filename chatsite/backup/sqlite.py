"""SQLite: a copy of the running database by its online backup, and the copy put in its place."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import zipfile
from contextlib import closing
from pathlib import Path

from django.db import connection

from chatsite.backup.manifest import BackupError, BackupWriter

NAME = "database.sqlite3"


def dump_database(writer: BackupWriter) -> None:
    """The database as it stands at one moment; the site goes on."""
    with tempfile.TemporaryDirectory(dir=path_of().parent) as folder:
        copy = Path(folder) / NAME
        connection.ensure_connection()
        with closing(sqlite3.connect(copy)) as target:
            connection.connection.backup(target)
        writer.add(NAME, copy)


def load_database(archive: zipfile.ZipFile) -> None:
    """Put the backup's database in the place of this one. Raises BackupError; then this one stays."""
    target = path_of()
    fresh = target.with_name(target.name + ".restoring")
    try:
        with archive.open(NAME) as source, fresh.open("wb") as file:
            shutil.copyfileobj(source, file)
            os.fsync(file.fileno())
        try:
            with closing(sqlite3.connect(fresh)) as copy:
                problem = copy.execute("PRAGMA integrity_check").fetchone()[0]
        except sqlite3.DatabaseError as error:
            problem = str(error)
        if problem != "ok":
            raise BackupError(f"{NAME}: the database in it is damaged ({problem}).")
        connection.close()
        for suffix in ("-wal", "-shm"):  # of the old database: they would be taken for the new one's
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        os.replace(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)


def path_of() -> Path:
    return Path(str(connection.settings_dict["NAME"]))
