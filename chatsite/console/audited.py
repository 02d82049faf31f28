"""ModelAdmin whose every change is in the audit log, with what was before and after."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.db import transaction
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse

from chatsite.audit.record import record

SECRET = frozenset({"password", "password1", "password2", "usable_password"})
"""Fields whose values are nobody's business."""


class AuditedAdmin(admin.ModelAdmin):
    """Change and audit entry are one transaction. Beside a choice is only what makes a new one."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        widget = getattr(field, "widget", None)
        if isinstance(widget, RelatedFieldWidgetWrapper):
            widget.can_change_related = widget.can_delete_related = widget.can_view_related = False
        return field

    def changeform_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            return super().changeform_view(*args, **kwargs)

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        changed = [name for name in form.changed_data if name in form.cleaned_data]
        before = {name: _shown(name, form.initial.get(name)) for name in changed} if change else {}
        after = {name: _shown(name, form.cleaned_data[name]) for name in changed}
        if changed or not change:
            record(request.user, "changed" if change else "added", form.instance, before, after)

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        record(request.user, "deleted", obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for obj in queryset:
            record(request.user, "deleted", obj)
        super().delete_queryset(request, queryset)


def _shown(name: str, value: object) -> object:
    if name in SECRET:
        return "•••"
    if isinstance(value, QuerySet | list | tuple):
        return ", ".join(sorted(str(one) for one in value))
    return value
