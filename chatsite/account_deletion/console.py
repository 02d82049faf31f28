"""Console page of a person who leaves: export everything, delete the account. Both are audited.

Where the site's policy lets staff read nothing (CHATSITE_STAFF_MAY_READ), an export that is asked for here is
the person's own: they find it in their settings, and nobody else can fetch it.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from chatsite.account_deletion.erasure import do_request_account_deletion
from chatsite.account_deletion.models import AccountDeletion
from chatsite.accounts.addresses import same_address
from chatsite.accounts.models import User
from chatsite.audit.record import record
from chatsite.errors import Refusal
from chatsite.jobs import actions as jobs
from chatsite.jobs.models import Job
from chatsite.jobs.process import start_job_after_commit
from chatsite.transfer.download import job_file
from chatsite.transfer.export_rows import exportable
from chatsite.transfer.render.formats import FORMATS


@require_http_methods(["GET", "POST"])
def leaving(request: HttpRequest, id: int) -> HttpResponse:
    """One person's page: export everything, erase the account."""
    person = _access(request, id)
    if request.method == "POST":
        try:
            (_erase if "erase" in request.POST else _export)(request, person)
        except Refusal as refusal:
            messages.error(request, _(refusal.message))
        return redirect("leaving", id=id) if User.objects.filter(pk=id).exists() else redirect("admin:index")
    may_read = settings.STAFF_MAY_READ
    job = jobs.exports_for_staff(request.user.pk or 0, person.pk).first() if may_read else None
    context: dict[str, Any] = admin.site.each_context(request) | {
        "title": _("Offboarding: %(person)s") % {"person": person},
        "person": person,
        "conversations": exportable(person.pk).count(),
        "formats": [(name, kind.suffix.upper()) for name, kind in FORMATS.items()],
        "may_read": may_read,
        "job": job,
        "is_running": job is not None and job.status in jobs.ACTIVE,
        "is_erased": AccountDeletion.objects.filter(user=person).exists(),
    }
    return render(request, "console/account_deletion.html", context)


@require_safe
def leaving_file(request: HttpRequest, id: int, job: UUID) -> Any:
    """The export of a person's conversations, for who asked for it and still may read them."""
    person = _access(request, id)
    try:
        found = get_object_or_404(jobs.exports_for_staff(request.user.pk or 0, person.pk), id=job)
        response = job_file(found)
    except Refusal as refusal:
        raise Http404(refusal.message) from refusal
    record(request.user, "downloaded all conversations", person, after={"file": found.file})
    return response


def _access(request: HttpRequest, id: int) -> User:
    """The person, for administrators; owners for owners alone. Raises PermissionDenied and Http404."""
    person = get_object_or_404(User, pk=id)
    if not request.user.has_perm("accounts.change_user") or (
        person.is_superuser and not request.user.is_superuser
    ):
        raise PermissionDenied
    return person


@transaction.atomic
def _export(request: HttpRequest, person: User) -> None:
    format = request.POST.get("format", "json")
    if format not in FORMATS:
        raise Refusal("bad_frame", f"format={format!r}: must be one of {', '.join(FORMATS)}.")
    assert request.user.pk is not None
    wanted = {"format": format, "language": get_language() or "en"}
    reader = request.user.pk if settings.STAFF_MAY_READ else person.pk
    job = jobs.do_create_job(person.pk, reader, Job.Kind.EXPORT, wanted)
    whom = "the person" if reader == person.pk else "staff"
    after = {"format": format, "conversations": exportable(person.pk).count(), "for": whom}
    record(request.user, "exported all conversations", person, after=after)
    start_job_after_commit(job.id)
    if reader == person.pk:
        messages.success(request, _("The export is for the person alone: in their settings, under Data."))


@transaction.atomic
def _erase(request: HttpRequest, person: User) -> None:
    if not same_address(request.POST.get("email", "").strip(), person.email):
        raise Refusal("bad_frame", "Type the person's e-mail address to erase the account.")
    record(request.user, "asked to erase", person)
    do_request_account_deletion(person.pk, request.user.pk)
    messages.success(
        request, _("The account is closed. It will be erased with all that is in it within minutes.")
    )
