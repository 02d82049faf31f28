"""Read values of foreign exports, whatever their types: what is not of the right type is nothing."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime
from typing import Any

from chatsite.transfer.report import Reason

LONGEST_ID = 200
"""Longer ones are replaced by their hash."""

LATEST = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
"""Later times are no times of conversations."""

UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""From the first figure on a time is so many parts of a second: 1e11 as seconds is the year 5138."""


def as_dict(value: Any) -> dict[str, Any]:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The list, or an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """The text, or none."""
    return value if isinstance(value, str) else ""


def as_id(value: Any) -> str | None:
    """The id as a text that can be hashed and compared, or None."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**LONGEST_ID else None
    if not isinstance(value, str) or not value:
        return None
    id = value.encode("utf-8", "backslashreplace").decode()
    return id if len(id) <= LONGEST_ID else hashlib.sha256(id.encode()).hexdigest()


def as_moment(value: Any, reasons: set[Reason]) -> datetime | None:
    """A time as a number since 1970 in any unit, or as ISO text; None, and noted, where it is none.

    Null, nothing and 0 are no times either, but nothing is wrong with them: they were never set.
    """
    if isinstance(value, dict) and "$date" in value:  # as MongoDB writes it
        value = value["$date"]
    if value is None or value == "" or value == 0:
        return None
    found = _from_text(value) if isinstance(value, str) else _from_number(value)
    if found is None:
        reasons.add(Reason.TIME)
    return found


def _from_text(text: str) -> datetime | None:
    try:
        return _from_number(float(text))
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text.strip())
        return _from_number((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None


def _from_number(number: Any) -> datetime | None:
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    try:
        seconds = float(number)
    except OverflowError:
        return None
    if not math.isfinite(seconds):
        return None
    seconds /= next((unit for least, unit in UNITS if seconds >= least), 1)
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < LATEST else None


def fallback_id(conversation: dict[str, Any], first: str) -> str:
    """Of a conversation without an id: the same at its next export, when more has been written."""
    begun = conversation.get("create_time") or conversation.get("created_at") or ""
    text = f"{begun}\n{first}".encode("utf-8", "backslashreplace")
    return hashlib.sha256(text).hexdigest()
