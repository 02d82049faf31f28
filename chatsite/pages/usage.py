"""A person's usage page, `/usage`: tokens used and left, effective limits and their plans."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from chatsite.quotas.reports import usage_chart
from chatsite.quotas.usage import read_usage, shown_days


@require_safe
@login_required
def usage_page(request: HttpRequest) -> HttpResponse:
    """The figures of `/api/usage` as a page, with a chart by day."""
    assert request.user.pk is not None  # signed in
    usage = read_usage(request.user.pk)
    chart = usage_chart(usage["days"], *shown_days(timezone.now()))
    most = max((row["tokens"] for row in usage["days"]), default=0)
    return render(
        request,
        "usage.html",
        {"usage": usage, "most": most, "chart": chart, "read_by_staff": settings.STAFF_MAY_READ},
    )
