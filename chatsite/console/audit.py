"""The audit log in the console, read-only."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from django.contrib import admin
from django.db.models import Field, QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from chatsite.audit.models import AuditEntry
from chatsite.audit.record import WRITTEN_IN
from chatsite.console.templatetags.labels import label


class ActionFilter(admin.SimpleListFilter):
    """Filter by action, of the actions that the log holds."""

    title = _("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        names = AuditEntry.objects.order_by("action").values_list("action", flat=True).distinct()
        return [(name, label(name)) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(action=self.value()) if self.value() else queryset


class AuditEntryAdmin(admin.ModelAdmin):
    """A read-only list: no entry is added, changed or deleted here."""

    list_display = ("at", "actor_name", "did", "what", "change")
    fields = readonly_fields = list_display
    list_filter = (ActionFilter, "at")
    search_fields = ("actor_name", "subject")
    date_hierarchy = "at"

    @admin.display(description=_("action"), ordering="action")
    def did(self, entry: AuditEntry) -> str | Promise:
        return label(entry.action)

    @admin.display(description=_("to what"), ordering="subject")
    def what(self, entry: AuditEntry) -> str:
        """The subject, its kind in the reader's language."""
        for kind, named in _kinds().items():
            if entry.subject.startswith(f"{kind} "):
                return f"{named} {entry.subject.removeprefix(kind).strip()}"
        return entry.subject

    @admin.display(description=_("before → after"))
    def change(self, entry: AuditEntry) -> str:
        """Fields with their values before and after; only the latter for a new row."""
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
    return "–" if value in (None, "") else label(str(value))


@cache
def _kinds() -> dict[str, str | Promise]:
    """What `record` calls a kind of row → its label."""
    with override(WRITTEN_IN):
        return {
            str(model._meta.verbose_name): model._meta.verbose_name or "" for model in admin.site._registry
        }


@cache
def _labels() -> dict[str, str | Promise]:
    """Field name → its label in the console's forms."""
    return {"state": _("state"), **dict(_fields())}


def _fields() -> Iterator[tuple[str, str | Promise]]:
    for model in admin.site._registry:
        for field in model._meta.get_fields():
            if isinstance(field, Field):
                yield field.name, field.verbose_name
