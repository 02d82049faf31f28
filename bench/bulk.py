"""Many rows at once: COPY on PostgreSQL, executemany on SQLite, in transactions of bounded size.

The ORM makes some ten thousand rows a second; a million messages and what belongs to them are four million.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from random import Random
from typing import Any

from django.db import connection, models, transaction

AT_ONCE = 20_000
"""Rows of one transaction: a writer in between waits well below a second."""

Row = dict[str, Any]


class Table:
    """Rows of a model: what all share is prepared once, each row says what is its own."""

    def __init__(self, model: type[models.Model], **shared: Any) -> None:
        self.model = model
        pattern = model(**shared)
        fields = [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]
        self._names = [field.attname for field in fields]
        self._columns = [str(field.column) for field in fields]
        self._shared = {
            field.attname: field.get_db_prep_save(getattr(pattern, field.attname), connection)
            for field in fields
        }

    def load(self, rows: Iterable[Row]) -> int:
        """Write them all; returns how many. Values are already such as the database takes."""
        count = 0
        stream = iter(rows)
        while some := [self._values(row) for row in islice(stream, AT_ONCE)]:
            with transaction.atomic():
                copy(self.model._meta.db_table, self._columns, some)
            count += len(some)
        return count

    def _values(self, row: Row) -> tuple[Any, ...]:
        whole = self._shared | row
        return tuple(whole[name] for name in self._names)


def copy(table: str, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    """Append rows to a table, inside the caller's transaction."""
    names = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as target:
                for row in rows:
                    target.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(columns))
            cursor.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', rows)


def keys(seed: int) -> Iterator[Any]:
    """Ids as the database takes them, the same in every run."""
    draw = Random(seed)
    while True:
        yield key(uuid.UUID(int=draw.getrandbits(128), version=4))


def key(id: uuid.UUID) -> Any:
    """An id as this database takes it."""
    return str(id) if connection.vendor == "postgresql" else id.hex


def moment(at: datetime) -> Any:
    """A time as this database takes it."""
    return connection.ops.adapt_datetimefield_value(at)
