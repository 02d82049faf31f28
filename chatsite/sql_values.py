"""Values of plain SQL statements: SQLite and PostgreSQL have different ideas of UUIDs, dates and moments."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from django.db import connection


def uuid_key(value: UUID) -> Any:
    """A UUID as a parameter."""
    return value if connection.features.has_native_uuid_field else value.hex


def uuid_of(value: UUID | str) -> UUID:
    """A UUID as a statement returned it."""
    return value if isinstance(value, UUID) else UUID(value)


def date_of(value: date | str) -> date:
    """A date as a statement returned it."""
    return value if isinstance(value, date) else date.fromisoformat(value)


def moment_key(value: datetime) -> Any:
    """An aware moment as a parameter."""
    return connection.ops.adapt_datetimefield_value(value)


def moment_of(value: datetime) -> datetime:
    """An aware moment, of what a statement returned."""
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def marks(values: Any) -> str:
    """A place for each value of a list."""
    return ", ".join(["%s"] * len(values))
