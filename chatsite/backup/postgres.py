"""PostgreSQL: every table by COPY, over the site's own connection.

No client tools are needed, and none can be of another version than the server. The tables themselves are
made by this site's migrations, up to those that the backup had; then by the newer ones.
"""

from __future__ import annotations

import time
import zipfile
from typing import Any

import psycopg
from django.apps import apps
from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from psycopg import sql

from chatsite.backup.manifest import READ_BYTES, BackupError, BackupWriter, Manifest

FOLDER = "tables/"
"""`tables/<table>`: a line with its columns, which a later site may order otherwise, then its rows."""


def dump_database(writer: BackupWriter) -> None:
    """All tables as they stand at one moment; the site goes on."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for table in connection.introspection.table_names(cursor):
            columns = _columns(cursor, table)
            with writer.open(FOLDER + table) as target:
                target.write(("\t".join(columns) + "\n").encode())
                with cursor.copy(_copy(table, columns, "TO STDOUT")) as rows:
                    for part in rows:
                        target.write(part)


def load_database(archive: zipfile.ZipFile, manifest: Manifest) -> None:
    """Drop what is here, make the tables as they were, and fill them: one transaction. Raises BackupError.

    Whatever fails, and wherever the process dies, the database is what it was.
    """
    tables = [name.removeprefix(FOLDER) for name in manifest.entries if name.startswith(FOLDER)]
    with transaction.atomic(), connection.cursor() as cursor:
        # A table with checks that wait for the end of the transaction could not be altered or emptied in it.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        _drop_all(cursor)
        MigrationExecutor(connection).migrate(list(manifest.migrations))
        present = set(connection.introspection.table_names(cursor))
        if odd := sorted(set(tables) - present):
            raise BackupError(f"{odd[0]}: the migrations of this site make no such table.")
        names = sql.SQL(", ").join(map(sql.Identifier, sorted(present)))
        cursor.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")  # the tables come in no order
        for table in tables:
            _fill(cursor, archive, table)
        models = apps.get_models(include_auto_created=True)
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)


def _fill(cursor: Any, archive: zipfile.ZipFile, table: str) -> None:
    with archive.open(FOLDER + table) as source:
        columns = source.readline().decode().rstrip("\n").split("\t")
        with cursor.copy(_copy(table, columns, "FROM STDIN")) as rows:
            while part := source.read(READ_BYTES):
                rows.write(part)


def _copy(table: str, columns: list[str], direction: str) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("COPY {} ({}) " + direction).format(sql.Identifier(table), names)


def _columns(cursor: Any, table: str) -> list[str]:
    cursor.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        " AND table_name = %s AND is_generated = 'NEVER' ORDER BY ordinal_position",
        [table],
    )
    return [row[0] for row in cursor.fetchall()]


def _drop_all(cursor: Any) -> None:
    if tables := connection.introspection.table_names(cursor):
        names = sql.SQL(", ").join(map(sql.Identifier, tables))
        cursor.execute(sql.SQL("DROP TABLE {} CASCADE").format(names))


def others_connected() -> int:
    """Connections of other processes to this database: the site is running."""
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    with psycopg.connect(**connection.get_connection_params()) as own:
        for _ in range(GONE_TRIES):
            # By name, since the server may hold what this process has closed for longer than anybody waits.
            (others,) = own.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND backend_type = 'client backend'"
                " AND application_name <> current_setting('application_name')"
            ).fetchone() or (0,)
            if not others:
                break
            time.sleep(GONE_S)
    return int(others)


GONE_TRIES, GONE_S = 60, 0.1
"""For a site that has just been stopped: the server takes a moment to see its connections go."""
