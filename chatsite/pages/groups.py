"""Pages of a group's manager, `/groups`: members, their usage, invitations. Changes are in the audit log."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import Group
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from chatsite.accounts.addresses import AddressField
from chatsite.accounts.groups import do_invite_member, do_withdraw, managed_groups, open_invitations
from chatsite.accounts.models import User
from chatsite.errors import Refusal
from chatsite.quotas.reports import read_report
from chatsite.quotas.windows import month_of
from chatsite.server.origins import shown_link


class InviteForm(forms.Form):
    email = AddressField(label=gettext_lazy("E-mail"))


class WithdrawForm(forms.Form):
    """The id of the invitation to delete."""

    withdraw = forms.IntegerField(min_value=1, max_value=2**63 - 1)


@require_safe
@login_required
def groups(request: HttpRequest) -> HttpResponse:
    """The list of groups that this person manages; redirects to the only one."""
    found = list(managed_groups(manager_of(request)).order_by("name"))
    if len(found) == 1:
        return redirect("group", found[0].pk)
    return render(request, "groups.html", {"groups": found})


@never_cache
@require_http_methods(["GET", "POST"])
@login_required
def group(request: HttpRequest, id: int) -> HttpResponse:
    """Members, what they used this month, open invitations; POST invites, or takes an invitation back."""
    manager = manager_of(request)
    found = managed_groups(manager).filter(pk=id).first()
    if found is None:
        raise Http404("There is no such group.")
    link, form = "", InviteForm(request.POST if "email" in request.POST else None)
    if "withdraw" in request.POST:
        asked = WithdrawForm(request.POST)
        if asked.is_valid():
            do_withdraw(manager, found, asked.cleaned_data["withdraw"])
        return redirect("group", id)
    if request.method == "POST" and form.is_valid():
        try:
            token = do_invite_member(manager, found, form.cleaned_data["email"])
        except Refusal as refusal:
            form.add_error("email", refusal.message)
        else:
            link, form = shown_link(request, reverse("invite", args=[token])), InviteForm()
    context = read_group(found) | {"group": found, "form": form, "link": link}
    return render(request, "group.html", context)


def read_group(group: Group) -> dict[str, Any]:
    """The template context of a group: members with this month's tokens for this group, open invitations."""
    today = timezone.localdate(timezone=timezone.get_default_timezone())
    report = read_report(month_of(today), today, group.name)
    used = {row["user"]: row["tokens"] for row in report.by["person"]}
    people = User.objects.filter(groups=group, is_active=True).order_by("email")
    return {
        "members": [{"person": user, "tokens": used.get(user.pk, 0)} for user in people],
        "total": report.total,
        "open": open_invitations(group).order_by("ends_at"),
    }


def manager_of(request: HttpRequest) -> User:
    """The signed-in user; `login_required` has checked that there is one."""
    assert request.user.is_authenticated
    return request.user
