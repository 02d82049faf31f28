"""The search of the console's sidebar: people, groups, plans and API keys by name or address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Model, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from chatsite.accounts.models import ApiKey, User
from chatsite.quotas.models import Plan

EACH = 8
"""Hits of a kind that are shown; who looks for more types more."""

LONGEST = 200
"""Characters of a text that is looked for; the rest is left off."""


@dataclass(frozen=True)
class LookupHit:
    """A row that was found: its name, what else tells it apart, and its page."""

    name: str
    note: str
    url: str


@dataclass(frozen=True)
class LookupKind:
    """The hits of one kind, at most EACH; `more` where there are others."""

    label: Promise
    icon: str
    hits: list[LookupHit]
    more: bool


@require_safe
def lookup_page(request: HttpRequest) -> HttpResponse:
    """The hits of `q`. With `part`, only the list that the sidebar shows while somebody types."""
    text = request.GET.get("q", "").strip().replace("\x00", "")[:LONGEST]
    context = {"text": text, "kinds": find(text) if text else []}
    if "part" in request.GET:
        return render(request, "console/lookup_hits.html", context)
    page = admin.site.each_context(request) | {"title": _("Search")} | context
    return render(request, "console/lookup.html", page)


def find(text: str) -> list[LookupKind]:
    """What a name, address or key's beginning holds; kinds without a hit are left out."""
    people = User.objects.filter(Q(email__icontains=text) | Q(name__icontains=text)).order_by("email")
    groups = Group.objects.filter(name__icontains=text).order_by("name")
    plans = Plan.objects.filter(name__icontains=text)
    keys = ApiKey.objects.filter(Q(name__icontains=text) | Q(prefix__icontains=text)).select_related("owner")
    kinds = [
        _kind(
            _("People"),
            "people",
            ((one, one.name or one.email, one.name and one.email) for one in people[: EACH + 1]),
        ),
        _kind(_("Groups"), "groups", ((one, one.name, "") for one in groups[: EACH + 1])),
        _kind(_("Plans"), "plans", ((one, one.name, "") for one in plans[: EACH + 1])),
        _kind(
            _("API keys"),
            "keys",
            ((one, one.name, f"{one.prefix}… · {one.owner}") for one in keys.order_by("name")[: EACH + 1]),
        ),
    ]
    return [kind for kind in kinds if kind.hits]


def _kind(label: Promise, icon: str, rows: Iterable[tuple[Model, str, str]]) -> LookupKind:
    hits = [
        LookupHit(
            name, note, reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
        )
        for row, name, note in rows
    ]
    return LookupKind(label, icon, hits[:EACH], len(hits) > EACH)
