"""Rows of a report as the chart of the page takes them: columns, times first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

Chart = dict[str, list[int]]
Step = Literal["day", "month"]

MOST_MONTHS = 120
"""Ten years of bars. What was asked for beyond them is shown from the first use to the last."""


def chart_of(rows: Sequence[dict[str, Any]], since: date, until: date, step: Step = "day") -> Chart:
    """`at`: seconds since 1970, midnight UTC of each day of the period; tokens `read` and `written`.

    Days (of step "month": months' first days) without a row are zeros, so that a bar's place tells its day.
    """
    found = {row["day"]: row for row in rows}
    days = list(_days(since, until) if step == "day" else _months(since, until, sorted(found)))
    return {
        "at": [int(datetime.combine(day, time.min, UTC).timestamp()) for day in days],
        "read": [int(found[day]["prompt_tokens"]) if day in found else 0 for day in days],
        "written": [int(found[day]["completion_tokens"]) if day in found else 0 for day in days],
    }


def _days(since: date, until: date) -> Iterator[date]:
    return (since + timedelta(days=n) for n in range((until - since).days + 1))


def _months(since: date, until: date, used: list[date]) -> Iterator[date]:
    first, last = _month(since), _month(until)
    if last - first >= MOST_MONTHS:
        first, last = (_month(used[0]), _month(used[-1])) if used else (last, last)
    return (date(n // 12, n % 12 + 1, 1) for n in range(first, last + 1))


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1
