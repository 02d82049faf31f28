"""The Live page: engine, queue, running generations, budgets that run out; cancel, pause, drain, resume."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chatsite.accounts.models import User
from chatsite.audit.record import record
from chatsite.backends import read_status
from chatsite.console.trends import trends
from chatsite.generations.admission import AdmissionState, do_set_admission, read_admission
from chatsite.generations.cancel import do_cancel_any
from chatsite.generations.latency import read_latency
from chatsite.generations.models import ACTIVE, Generation, GenerationStatus
from chatsite.generations.wakeup import notify_worker
from chatsite.quotas.budgets import WARN_AT
from chatsite.quotas.models import Balance
from chatsite.quotas.plans import limits_of_each
from chatsite.quotas.windows import day_of, month_of
from inference.status import InferenceStatus, Sample

ROWS = 200
"""Rows shown: as many as may be active at the default limit."""

ADMISSION_ACTIONS = {
    AdmissionState.OPEN: "resumed", AdmissionState.PAUSED: "paused", AdmissionState.DRAINING: "drained",
}  # fmt: skip
"""What the audit log calls a change of admission."""


@require_safe
def live_page(request: HttpRequest) -> HttpResponse:
    """The Live page; the socket `/ws/console/` refreshes its middle."""
    status, samples = async_to_sync(read_status)()
    context = admin.site.each_context(request) | {"title": _("Live")}
    context |= read_live(status, samples, timezone.now())
    context["may_act"] = may_act(request.user)
    return render(request, "console/live.html", context)


@require_POST
def cancel_generation(request: HttpRequest) -> HttpResponse:
    """Cancel a generation of any user."""
    _check_may_act(request)
    try:
        id = UUID(request.POST.get("generation", ""))
    except ValueError:
        return HttpResponse("generation: must be the id of a run.", status=400)
    with transaction.atomic():
        job = do_cancel_any(id)
        if job is not None:
            record(request.user, "cancelled", f"run {id} of {job.user}")
    if job is None:
        messages.info(request, _("This run had ended already."))
    else:
        async_to_sync(notify_worker)("cancelled", id)
        messages.success(request, _("Stopping the run of %(person)s.") % {"person": job.user})
    return redirect("admin:live")


@require_POST
def change_admission(request: HttpRequest) -> HttpResponse:
    """Pause, drain or resume admission. Meanwhile nothing starts; queued generations keep their position."""
    _check_may_act(request)
    wanted = request.POST.get("state", "")
    if wanted not in ADMISSION_ACTIONS:
        return HttpResponse(f"state={wanted}: must be one of {', '.join(ADMISSION_ACTIONS)}.", status=400)
    state = AdmissionState(wanted)
    with transaction.atomic():
        before = do_set_admission(state)
        if before != state:
            record(request.user, ADMISSION_ACTIONS[state], "admission", {"state": before}, {"state": state})
    return redirect("admin:live")


def read_live(status: InferenceStatus, samples: Sequence[Sample], now: datetime) -> dict[str, Any]:
    """The template context of the page's middle."""
    jobs = Generation.objects.filter(status__in=ACTIVE).select_related("user").order_by("created_at")[:ROWS]
    runs = [_run(job, now) for job in jobs]
    admission, begun = read_admission(), Generation.objects.filter(status=GenerationStatus.RUNNING).count()
    return {
        "status": status,
        "trends": trends(samples, now.timestamp()),
        "admission": admission,
        "begun": begun,
        "queued": Generation.objects.filter(status=GenerationStatus.QUEUED).count(),
        # Until the inference process has heard of it, something may still start.
        "drained": admission == AdmissionState.DRAINING and not begun and status.state != "ready",
        "runs": runs,
        "people": len({run["person"] for run in runs}),
        "waiting": sum(status.waiting.values()),
        "running": sum(status.running.values()),
        "latency": read_latency(now),
        "short": _running_out(now),
    }


def may_act(user: Any) -> bool:
    """Whether this person may cancel and change admission: staff, but not auditors."""
    return bool(user.is_staff and not user.is_auditor)


def _check_may_act(request: HttpRequest) -> None:
    if not may_act(request.user):
        raise PermissionDenied


def _run(job: Generation, now: datetime) -> dict[str, Any]:
    return {
        "id": job.id,
        "person": job.user.display_name,
        "status": job.status,
        "cancelling": job.cancel_requested,
        "prompt_tokens": job.prompt_tokens,
        "completion_tokens": job.completion_tokens,
        "age_s": max(0.0, (now - job.created_at).total_seconds()),
    }


def _running_out(now: datetime) -> list[dict[str, Any]]:
    """People who have used 80 % of a budget or more, the highest share first."""
    day = day_of(now, timezone.get_default_timezone())
    balances = {row.pk: row for row in Balance.objects.filter(month__gte=month_of(day))}
    limits = limits_of_each(balances.keys())
    short = []
    for user, row in balances.items():
        windows = (
            (row.day_tokens if row.day >= day else 0, limits[user].tokens_per_day),
            (row.month_tokens, limits[user].tokens_per_month),
        )
        share = max((used / limit for used, limit in windows if limit), default=0.0)
        if share >= WARN_AT:
            short.append((share, user))
    short.sort(reverse=True)
    names = User.objects.in_bulk([user for _share, user in short])
    return [{"person": names[user], "percent": round(share * 100)} for share, user in short if user in names]
