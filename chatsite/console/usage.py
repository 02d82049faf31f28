"""The usage report: tokens by day, person, group and model as tables and CSV; the ledger as CSV."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import date, timedelta
from typing import Any, get_args

from django.contrib import admin
from django.db.models import Max, Min
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from chatsite.csv_text import EXCEL_MARK, csv_rows
from chatsite.database import read
from chatsite.quotas.models import LedgerEntry
from chatsite.quotas.reports import By, Row, fold_months, read_report, usage_by, usage_chart
from chatsite.server.backpressure import save_as, stream_response

DAYS = 30
"""The period shown where none is asked for, today included."""

DAYS_SHOWN = 93
"""Longer periods are shown by month: a quarter of days is as much as a table tells."""

SHOWN = 50
"""Rows of a table: those who use most. The CSV has all."""

AT_ONCE = 1000
"""Ledger entries read and sent together: about CHUNK_BYTES (chatsite/server/backpressure.py) of CSV."""

LEDGER_COLUMNS = (
    "id", "created_at", "day", "kind", "generation", "attempt", "person", "user_id", "user__email",
    "group_name", "model", "tokens", "granted", "prompt_tokens", "completion_tokens", "note",
)  # fmt: skip
DAY = LEDGER_COLUMNS.index("day")

USAGE_COLUMNS = ("requests", "prompt_tokens", "completion_tokens", "tokens")

CSV = "text/csv; charset=utf-8"


@require_safe
def usage_report(request: HttpRequest) -> HttpResponse:
    """The report's page: the period's totals, and tables by person, group, model and day."""
    since, until = _period(request)
    report, times = read_report(since, until), _times(since, until)
    context = admin.site.each_context(request) | {
        "title": _("Usage"),
        "since": since,
        "until": until,
        "total": report.total,
        "times": times,
        "chart": usage_chart(times["rows"], since, until, times["by"]),
        "tables": [_table(by, rows) for by, rows in report.by.items()],
    }
    return render(request, "console/usage.html", context)


@require_safe
def usage_csv(request: HttpRequest) -> HttpResponseBase:
    """One table of the report as CSV. `by`: day, person, group or model."""
    by: By = request.GET.get("by", "person")  # type: ignore[assignment]
    if by not in get_args(By):
        return HttpResponse(f"by={by}: must be one of {', '.join(get_args(By))}.", status=400)
    since, until = _period(request)
    rows = ((_name(by, row), *(row[name] for name in USAGE_COLUMNS)) for row in usage_by(by, since, until))
    response = HttpResponse(EXCEL_MARK + csv_rows([(by, *USAGE_COLUMNS), *rows]), content_type=CSV)
    save_as(response, f"usage-{by}-{since}-{until}.csv")
    return response


@require_safe
def ledger_csv(request: HttpRequest) -> HttpResponseBase:
    """Every ledger entry of the period as CSV, streamed with backpressure."""
    since, until = _period(request)
    return stream_response(_ledger(since, until), f"ledger-{since}-{until}.csv", CSV)


async def _ledger(since: date, until: date) -> AsyncGenerator[bytes]:
    yield (EXCEL_MARK + csv_rows([LEDGER_COLUMNS])).encode()
    id, last = await read(_ends, since, until)
    while rows := await read(_entries, id, last):
        id = rows[-1][0]
        yield csv_rows(row for row in rows if since <= row[DAY] <= until).encode()


def _ends(since: date, until: date) -> tuple[int, int]:
    """The id before the period's first, and its last as of now; (0, 0) where there is none."""
    found = LedgerEntry.objects.filter(day__gte=since, day__lte=until).aggregate(
        first=Min("id"), last=Max("id")
    )
    return (found["first"] or 1) - 1, found["last"] or 0


def _entries(after: int, last: int) -> list[tuple[Any, ...]]:
    """The next ones by id, whatever their day: the database steps along the key, and sorts nothing."""
    entries = LedgerEntry.objects.filter(id__gt=after, id__lte=last).order_by("id")
    return list(entries.values_list(*LEDGER_COLUMNS)[:AT_ONCE])


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
    shape = "YEAR_MONTH_FORMAT" if by == "month" else "DATE_FORMAT"
    shown = [row | {"name": date_format(row["day"], shape)} for row in rows]
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
