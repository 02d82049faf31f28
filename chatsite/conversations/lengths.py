"""How long messages are, without reading more of them than it takes to know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Length

from chatsite.conversations.models import Message

LENGTH = Length("content") + Length("reasoning")
"""Characters of a message. SQLite reads the text to count them."""

ROWS_AT_ONCE = {"sqlite": 1, "postgresql": 100}
"""Fetched before they are looked at: from a file one by one, over a network many."""


def sizes_of(rows: QuerySet[Message], *fields: str | Combinable) -> Iterator[tuple[Any, ...]]:
    """These fields of the messages, oldest first, each computed when it is asked for."""
    found = rows.order_by("created_at", "id").values_list(*fields)
    yield from found.iterator(ROWS_AT_ONCE[connection.vendor])


def is_short(rows: QuerySet[Message], most: int) -> bool:
    """Whether the messages have no more characters than `most`, together."""
    chars = 0
    for (size,) in sizes_of(rows, LENGTH):
        chars += size
        if chars > most:
            return False
    return True
