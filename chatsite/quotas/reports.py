"""Usage summed by day, person, group or model, from the kept sums. Never from the ledger's single entries."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from django.db.models import F, Q, QuerySet, Sum

from chatsite.quotas.models import DailyUsage

By = Literal["day", "person", "group", "model"]

_KEYS: dict[By, tuple[str, ...]] = {
    "day": ("day",),
    "person": ("person", "user", "user__email", "user__name"),
    "group": ("group_name",),
    "model": ("model",),
}

Row = dict[str, Any]


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
