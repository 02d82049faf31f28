"""Inserts of instances by statements that are built once: for the few tables that every question writes.

Django builds an INSERT anew each time, which costs several times the database's own work. Fields say as ever
what is stored (`pre_save`, `get_db_prep_save`). Signals are not sent: nothing listens to these tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Field, Model

from chatsite.sql_values import marks

ROWS_AT_ONCE = 100
"""Of one statement: SQLite takes 32,766 values, and none of these tables has a hundred columns."""


def insert_rows(rows: Sequence[Model]) -> None:
    """Insert instances of one model. A key that the database makes is not read back."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        statement, fields = _statement(type(some[0]), len(some))
        with connection.cursor() as cursor:
            cursor.execute(statement, _values(some, fields))


def insert_rows_with_keys(rows: Sequence[Model]) -> None:
    """The same; each instance then has the key that the database made for it."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        statement, fields = _statement(type(some[0]), len(some))
        key = some[0]._meta.pk
        with connection.cursor() as cursor:
            cursor.execute(f"{statement} RETURNING {key.column}", _values(some, fields))
            for row, (made,) in zip(some, cursor.fetchall(), strict=True):
                row.pk = made


def _values(rows: Sequence[Model], fields: Sequence[Field[Any, Any]]) -> list[Any]:
    return [field.get_db_prep_save(field.pre_save(row, True), connection) for row in rows for field in fields]


@cache
def _statement(model: type[Model], count: int) -> tuple[str, tuple[Field[Any, Any], ...]]:
    """The statement for so many rows, and the fields whose values it takes."""
    fields = tuple(
        field for field in model._meta.concrete_fields if field.get_internal_type() != "BigAutoField"
    )
    columns = ", ".join(f'"{field.column}"' for field in fields)
    row = f"({marks(fields)})"
    table = model._meta.db_table
    return f'INSERT INTO "{table}" ({columns}) VALUES {", ".join([row] * count)}', fields  # noqa: S608  # nosec
