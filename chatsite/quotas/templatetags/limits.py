"""What limits and budgets are called."""

from __future__ import annotations

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from chatsite.quotas.models import Plan

register = template.Library()

_BUDGETS = {"day": _("Today"), "month": _("This month"), "grant": _("Extra tokens")}


@register.filter
def limit_name(name: str) -> str:
    """A limit by its field: as the plan's form calls it."""
    label = str(Plan._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
    return label[:1].upper() + label[1:]


@register.filter
def budget_name(name: str) -> str | Promise:
    """A budget by its wire name."""
    return _BUDGETS[name]
