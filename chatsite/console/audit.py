"""The audit log, to be read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from django.contrib import admin
from django.db.models import Field, QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from chatsite.audit.models import AuditEntry
from chatsite.console.templatetags.words import word


class ActionFilter(admin.SimpleListFilter):
    """By what was done, of what was ever done here."""

    title = _("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        names = AuditEntry.objects.order_by("action").values_list("action", flat=True).distinct()
        return [(name, word(name)) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(action=self.value()) if self.value() else queryset


class AuditAdmin(admin.ModelAdmin):
    """Nobody adds, changes or deletes here."""

    list_display = ("at", "actor_name", "did", "subject", "change")
    list_filter = (ActionFilter, "at")
    search_fields = ("actor_name", "subject")
    date_hierarchy = "at"

    @admin.display(description=_("action"), ordering="action")
    def did(self, entry: AuditEntry) -> str | Promise:
        return word(entry.action)

    @admin.display(description=_("before → after"))
    def change(self, entry: AuditEntry) -> str:
        """Of what is new, only what it is."""
        said = []
        for name in dict.fromkeys([*entry.before, *entry.after]):
            was = f"{_value(entry.before, name)} → " if entry.before else ""
            said.append(f"{_labels().get(name, name)}: {was}{_value(entry.after, name)}")
        return "; ".join(said)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _value(values: dict[str, Any], name: str) -> str | Promise:
    value = values.get(name)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return "–" if value in (None, "") else word(str(value))


@cache
def _labels() -> dict[str, str | Promise]:
    """What the console's forms call a field, by its name in the rows."""
    return {"state": _("state"), **dict(_fields())}


def _fields() -> Iterator[tuple[str, str | Promise]]:
    for model in admin.site._registry:
        for field in model._meta.get_fields():
            if isinstance(field, Field):
                yield field.name, field.verbose_name
