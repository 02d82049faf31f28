"""What a person used, what is left, and what applies to them and why: as a page and as JSON."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from chatsite.accounts.sockets import tell_from_thread
from chatsite.json_api import answer, api, user_id
from chatsite.quotas.charts import chart_of
from chatsite.quotas.notices import do_put_away
from chatsite.quotas.reports import total, usage_by
from chatsite.quotas.resolution import ALLOWANCES, LIMITS, Terms
from chatsite.quotas.standing import read_budgets
from chatsite.quotas.terms import terms_of
from chatsite.quotas.windows import month_of

DAYS = 30
"""Days in the table: a month of habits."""


@api("GET")
def usage_json(request: HttpRequest) -> HttpResponse:
    """`budgets`, `terms` (each limit with why it applies), `days`, `models`."""
    return answer(read_usage(user_id(request)))


@api("POST")
def notices_seen(request: HttpRequest) -> HttpResponse:
    """The person has read that a budget is nearly, or wholly, used: no page shows it again."""
    do_put_away(user_id(request))
    tell_from_thread(user_id(request), "quota.changed")
    return HttpResponse(status=204)


@require_safe
@login_required
def usage_page(request: HttpRequest) -> HttpResponse:
    """The same for reading."""
    usage = read_usage(user_id(request))
    chart = chart_of(usage["days"], *_shown(timezone.now()))
    most = max((row["tokens"] for row in usage["days"]), default=0)
    return render(
        request,
        "usage.html",
        {"usage": usage, "most": most, "chart": chart, "read_by_staff": settings.STAFF_MAY_READ},
    )


def read_usage(user: int) -> dict[str, Any]:
    """All of it, for one person."""
    now = timezone.now()
    since, today = _shown(now)
    return {
        "budgets": read_budgets(user, now),
        "terms": explain(terms_of(user)),
        "today": total(today, today, user),
        "month": total(month_of(today), today, user),
        "days": usage_by("day", since, today, user)[::-1],
        "models": usage_by("model", since, today, user),
    }


def _shown(now: datetime) -> tuple[date, date]:
    """First and last day of the table and the chart."""
    today = timezone.localdate(now, timezone.get_default_timezone())
    return today - timedelta(days=DAYS - 1), today


def explain(terms: Terms) -> list[dict[str, Any]]:
    """Each limit with its value (null: none; of models, their names) and the plan that gave it."""
    values = {name: getattr(terms, name) for name in (*LIMITS, *ALLOWANCES, "weight")}
    values["model_names"] = ", ".join(terms.model_names) or None
    return [{"name": name, "value": value, "why": terms.why.get(name, "")} for name, value in values.items()]
