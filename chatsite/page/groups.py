"""`/groups`: what a group's manager sees, and their invitations into it. Each change is in the audit log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import Group
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from chatsite.accounts.invitations import do_invite
from chatsite.accounts.models import Invitation, Role, User
from chatsite.audit.record import record
from chatsite.quotas.reports import read_report
from chatsite.quotas.windows import month_of

GOOD_FOR = timedelta(days=7)
"""As long as the console's invitations."""

MAX_OPEN = 20
"""Invitations into one group that nobody has used yet: a class of newcomers, and no open door."""


class InviteForm(forms.Form):
    email = forms.EmailField(label=gettext_lazy("E-mail"), max_length=254)


@require_safe
@login_required
def groups(request: HttpRequest) -> HttpResponse:
    """The groups that this person manages; straight to it where there is one."""
    found = list(_managed(request).order_by("name"))
    if len(found) == 1:
        return redirect("group", found[0].pk)
    return render(request, "groups.html", {"groups": found})


@never_cache
@require_http_methods(["GET", "POST"])
@login_required
def group(request: HttpRequest, id: int) -> HttpResponse:
    """Members, what they used this month, open invitations; POST invites, or takes an invitation back."""
    found = _managed(request).filter(pk=id).first()
    if found is None:
        raise Http404("There is no such group.")
    link, form = "", InviteForm(request.POST if "email" in request.POST else None)
    if "withdraw" in request.POST:
        _withdraw(request, found)
        return redirect("group", id)
    if request.method == "POST" and form.is_valid():
        link = _invite(request, found, form)
        form = InviteForm() if link else form
    context = read_group(found) | {"group": found, "form": form, "link": link}
    return render(request, "group.html", context)


def read_group(group: Group) -> dict[str, Any]:
    """What the page shows of it. Members' use is what counted for this group."""
    today = timezone.localdate(timezone=timezone.get_default_timezone())
    report = read_report(month_of(today), today, group.name)
    used = {row["user"]: row["tokens"] for row in report.by["person"]}
    people = User.objects.filter(groups=group, is_active=True).order_by("email")
    return {
        "members": [{"person": user, "tokens": used.get(user.pk, 0)} for user in people],
        "total": report.total,
        "open": _open(group).order_by("ends_at"),
    }


def _managed(request: HttpRequest) -> Any:
    assert request.user.pk is not None  # signed in: the views ask for it
    return Group.objects.filter(managers__user=request.user.pk)


def _open(group: Group) -> Any:
    return Invitation.objects.filter(group=group, used_at=None, ends_at__gt=timezone.now())


def _invite(request: HttpRequest, group: Group, form: InviteForm) -> str:
    """The link, shown once; empty, with the reason in the form, where there may be no more."""
    email = form.cleaned_data["email"].strip().lower()
    with transaction.atomic():
        Group.objects.select_for_update().get(pk=group.pk)  # so that the limit is exact
        if _open(group).count() >= MAX_OPEN:
            form.add_error("email", _("Too many invitations are open. Take one back first."))
            return ""
        if User.objects.filter(email__iexact=email).exists():
            form.add_error("email", _("There is an account with this address; an administrator adds it."))
            return ""
        assert request.user.is_authenticated
        maker = request.user
        row, token = do_invite(email, Role.MEMBER, group, timezone.now() + GOOD_FOR, maker)
        record(request.user, "invited", row, after={"group": group.name})
    return request.build_absolute_uri(reverse("invite", args=[token]))


def _withdraw(request: HttpRequest, group: Group) -> None:
    """Only what managers may make: members' invitations into this group."""
    with transaction.atomic():
        asked = request.POST["withdraw"]
        row = _open(group).filter(pk=asked, role=Role.MEMBER).first() if asked.isdigit() else None
        if row is not None:
            record(request.user, "took back", row, before={"group": group.name})
            row.delete()
