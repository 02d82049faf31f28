"""Usage: by day, person, group and model, with a period; as tables, and as CSV that equals the ledger."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any, get_args

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from chatsite.quotas.charts import chart_of
from chatsite.quotas.models import LedgerEntry
from chatsite.quotas.reports import By, Row, fold_months, read_report, usage_by

DAYS = 30
"""The period shown where none is asked for, today included."""

DAYS_SHOWN = 93
"""Longer periods are shown by month: a quarter of days is as much as a table tells."""

SHOWN = 50
"""Rows of a table: those who use most. The CSV has all."""

AT_ONCE = 2000
"""Ledger entries held in memory while a CSV streams."""

LEDGER_COLUMNS = (
    "id", "created_at", "day", "kind", "generation", "attempt", "person", "user_id", "user__email",
    "group_name", "model", "tokens", "granted", "prompt_tokens", "completion_tokens", "note",
)  # fmt: skip

USAGE_COLUMNS = ("requests", "prompt_tokens", "completion_tokens", "tokens")


@require_safe
def usage(request: HttpRequest) -> HttpResponse:
    """The page: sums of the period, and the same by person, group, model and day."""
    since, until = _period(request)
    report, times = read_report(since, until), _times(since, until)
    context = admin.site.each_context(request) | {
        "title": _("Usage"),
        "since": since,
        "until": until,
        "total": report.total,
        "times": times,
        "chart": chart_of(times["rows"]),
        "tables": [_table(by, rows) for by, rows in report.by.items()],
    }
    return render(request, "console/usage.html", context)


@require_safe
def usage_csv(request: HttpRequest) -> HttpResponseBase:
    """One table of the page. `by`: day, person, group or model."""
    by: By = request.GET.get("by", "person")  # type: ignore[assignment]
    if by not in get_args(By):
        return HttpResponse(f"by={by}: must be one of {', '.join(get_args(By))}.", status=400)
    since, until = _period(request)
    rows = ((_name(by, row), *(row[name] for name in USAGE_COLUMNS)) for row in usage_by(by, since, until))
    return _csv(f"usage-{by}-{since}-{until}.csv", (by, *USAGE_COLUMNS), rows)


@require_safe
def ledger_csv(request: HttpRequest) -> HttpResponseBase:
    """Every entry of the period, as it was booked."""
    since, until = _period(request)
    entries = LedgerEntry.objects.filter(day__gte=since, day__lte=until).order_by("id")
    rows = entries.values_list(*LEDGER_COLUMNS).iterator(AT_ONCE)
    return _csv(f"ledger-{since}-{until}.csv", LEDGER_COLUMNS, rows)


def _period(request: HttpRequest) -> tuple[date, date]:
    today = timezone.localdate(timezone=timezone.get_default_timezone())
    since = _day(request.GET.get("since"), today - timedelta(days=DAYS - 1))
    return since, max(since, _day(request.GET.get("until"), today))


def _day(text: str | None, otherwise: date) -> date:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return otherwise


def _table(by: By, rows: list[Row]) -> dict[str, Any]:
    """The largest rows, and how many more there are: the CSV has all."""
    shown = [row | {"name": _name(by, row)} for row in rows[:SHOWN]]
    return {"by": by, "rows": shown, "most": rows[0]["tokens"] if rows else 0, "more": len(rows) - len(shown)}


def _times(since: date, until: date) -> dict[str, Any]:
    """Days, or months of a longer period, in their order."""
    rows = usage_by("day", since, until)
    by = "day"
    if (until - since).days >= DAYS_SHOWN:
        by, rows = "month", fold_months(rows)
    most = max((row["tokens"] for row in rows), default=0)
    shown = [row | {"name": f"{row['day']:%Y-%m}" if by == "month" else str(row["day"])} for row in rows]
    return {"by": by, "rows": shown, "most": most, "more": 0}


def _name(by: By, row: Row) -> str:
    match by:
        case "day":
            return str(row["day"])
        case "person":
            return row["user__email"] or f"{_('former member')} {str(row['person'])[:8]}"
        case "group":
            return row["group_name"] or _("no group")
        case "model":
            return row["model"] or _("unknown")


def _csv(name: str, head: Iterable[str], rows: Iterable[Iterable[object]]) -> StreamingHttpResponse:
    def lines() -> Iterator[str]:
        writer = csv.writer(_Echo())
        yield writer.writerow(head)
        for row in rows:
            yield writer.writerow([_cell(value) for value in row])

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _cell(value: object) -> object:
    """Text that a spreadsheet would run as a formula is marked as text (OWASP, CSV injection)."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


class _Echo:
    """A file that gives back what is written, for a writer whose lines are streamed."""

    def write(self, line: str) -> str:
        return line
