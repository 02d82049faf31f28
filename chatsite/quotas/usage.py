"""What one person used, what is left, and which limits apply to them and why."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone

from chatsite.quotas.balances import read_budgets
from chatsite.quotas.limits import LIMIT_NAMES
from chatsite.quotas.plans import EffectiveLimits, limits_of
from chatsite.quotas.reports import total, usage_by
from chatsite.quotas.windows import month_of

DAYS = 30
"""Days in the table: a month of habits."""


def read_usage(user: int) -> dict[str, Any]:
    """All of it, for one person."""
    now = timezone.now()
    since, today = shown_days(now)
    return {
        "budgets": read_budgets(user, now),
        "terms": explain(limits_of(user)),
        "today": total(today, today, user),
        "month": total(month_of(today), today, user),
        "days": usage_by("day", since, today, user)[::-1],
        "models": usage_by("model", since, today, user),
    }


def shown_days(now: datetime) -> tuple[date, date]:
    """First and last day of the table and the chart."""
    today = timezone.localdate(now, timezone.get_default_timezone())
    return today - timedelta(days=DAYS - 1), today


def explain(limits: EffectiveLimits) -> list[dict[str, Any]]:
    """Each limit with its value (null: none; of models, their names) and the plan that gave it."""
    values = {name: getattr(limits, name) for name in LIMIT_NAMES}
    values["model_names"] = ", ".join(limits.model_names) or None
    return [{"name": name, "value": value, "why": limits.why.get(name, "")} for name, value in values.items()]
