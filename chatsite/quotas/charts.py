"""Rows of a report as the chart of the page takes them: columns, times first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Any

Chart = dict[str, list[int]]


def chart_of(rows: Sequence[dict[str, Any]]) -> Chart:
    """`at`: seconds since 1970, midnight UTC of each row's day; tokens `read` and `written`."""
    return {
        "at": [int(datetime.combine(row["day"], time.min, UTC).timestamp()) for row in rows],
        "read": [int(row["prompt_tokens"]) for row in rows],
        "written": [int(row["completion_tokens"]) for row in rows],
    }
