"""Usage summed by day, person, group or model, from the kept sums. Never from the ledger's single entries.

A year of a hundred people is fifty thousand kept sums: `read_report` walks them once and folds them here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

from django.db.models import F, Q, QuerySet, Sum

from chatsite.accounts.models import User
from chatsite.quotas.models import DailyUsage

By = Literal["day", "person", "group", "model"]

_KEYS: dict[By, tuple[str, ...]] = {
    "day": ("day",),
    "person": ("person", "user", "user__email", "user__name"),
    "group": ("group_name",),
    "model": ("model",),
}

Row = dict[str, Any]

FIGURES = ("requests", "prompt_tokens", "completion_tokens", "tokens")
"""What every row sums."""

MOST_NAMED = 10_000
"""People in one query: below SQLite's limit of variables. More than that are shown without a name."""


def usage_by(by: By, since: date, until: date, user_id: int | None = None) -> list[Row]:
    """Rows with `requests`, `prompt_tokens`, `completion_tokens`, `tokens`; both days count.

    Days come in their order, everything else with the largest first. A person who is gone has no
    `user`, but keeps a row of their own.
    """
    rows = _summed(_between(since, until, user_id).values(*_KEYS[by]))
    return list(rows.order_by("day") if by == "day" else rows.order_by("-tokens"))


def total(since: date, until: date, user_id: int | None = None) -> Row:
    """The same as one row."""
    sums = _between(since, until, user_id).aggregate(
        requests=Sum("requests", default=0),
        prompt_tokens=Sum("prompt_tokens", default=0),
        completion_tokens=Sum("completion_tokens", default=0),
    )
    return sums | {"tokens": sums["prompt_tokens"] + sums["completion_tokens"]}


@dataclass(frozen=True)
class Report:
    """A period: its total, and the same by person, group and model, the largest first."""

    total: Row
    by: dict[By, list[Row]]


def read_report(since: date, until: date, group: str | None = None) -> Report:
    """Everything but the days, from one statement, of all or of one group. Rows are those of `usage_by`."""
    found = _between(since, until, None)
    if group is not None:
        found = found.filter(group_name=group)
    cells = _summed(found.values("person", "group_name", "model", owner=F("user")))
    folded: dict[By, dict[Any, Row]] = {"person": {}, "group": {}, "model": {}}
    whole = _zero()
    for cell in cells:
        _add(whole, cell)
        person = folded["person"].setdefault(
            cell["person"], {"person": cell["person"], "user": cell["owner"]}
        )
        _add(person, cell)
        for by, field in (("group", "group_name"), ("model", "model")):
            _add(folded[by].setdefault(cell[field], {field: cell[field]}), cell)  # type: ignore[index]
    _name_people(list(folded["person"].values()))
    ordered = {
        by: sorted(rows.values(), key=lambda row: row["tokens"], reverse=True) for by, rows in folded.items()
    }
    return Report(whole, ordered)


def fold_months(days: list[Row]) -> list[Row]:
    """Rows by day as rows by month; `day` is then the month's first."""
    months: dict[date, Row] = {}
    for row in days:
        first = row["day"].replace(day=1)
        _add(months.setdefault(first, {"day": first}), row)
    return list(months.values())


def _zero() -> Row:
    return dict.fromkeys(FIGURES, 0)


def _add(row: Row, cell: Row) -> None:
    for figure in FIGURES:
        row[figure] = row.get(figure, 0) + cell[figure]


def _name_people(rows: list[Row]) -> None:
    known = User.objects.filter(pk__in=[row["user"] for row in rows if row["user"]][:MOST_NAMED])
    names = {pk: (email, name) for pk, email, name in known.values_list("pk", "email", "name")}
    for row in rows:
        row["user__email"], row["user__name"] = names.get(row["user"], (None, None))


def _between(since: date, until: date, user_id: int | None) -> QuerySet[DailyUsage]:
    whose = Q() if user_id is None else Q(user_id=user_id)
    return DailyUsage.objects.filter(whose, day__gte=since, day__lte=until)


def _summed(rows: Any) -> Any:
    return rows.annotate(
        requests=Sum("requests"),
        prompt_tokens=Sum("prompt_tokens"),
        completion_tokens=Sum("completion_tokens"),
        tokens=F("prompt_tokens") + F("completion_tokens"),
    )


Chart = dict[str, list[int]]
Step = Literal["day", "month"]

MOST_MONTHS = 120
"""Ten years of bars. What was asked for beyond them is shown from the first use to the last."""


def usage_chart(rows: Sequence[dict[str, Any]], since: date, until: date, step: Step = "day") -> Chart:
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
