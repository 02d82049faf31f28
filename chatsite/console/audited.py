"""A ModelAdmin that writes every change to the audit log, with the values before and after."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import Manager, Model, QuerySet
from django.http import HttpRequest, HttpResponse

from chatsite.accounts.related_choices import RelatedChoices
from chatsite.audit.record import record

SECRET_FIELDS = frozenset({"password", "password1", "password2", "usable_password", "digest"})
"""Fields whose values the audit log never holds."""


class AuditedAdmin(RelatedChoices, admin.ModelAdmin):
    """Change and audit entry are one transaction, and both sides of a change are read from the row itself."""

    def changeform_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            return super().changeform_view(*args, **kwargs)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        """Remember the changed fields' values before the form is saved."""
        names = [name for name in form.changed_data if name in form.cleaned_data]
        row = self.model._default_manager.filter(pk=form.instance.pk).first() if change else None
        form.audit_before = {name: _shown(row, name, form.initial.get(name)) for name in names} if row else {}
        return super().save_form(request, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        names = [name for name in form.changed_data if name in form.cleaned_data]
        row = self.model._default_manager.get(pk=form.instance.pk)
        after = {name: _shown(row, name, form.cleaned_data[name]) for name in names}
        if names or not change:
            record(request.user, "changed" if change else "added", row, form.audit_before, after)

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        record(request.user, "deleted", obj, _all_of(obj))
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            for obj in queryset:
                record(request.user, "deleted", obj, _all_of(obj))
            super().delete_queryset(request, queryset)


def _all_of(row: Model) -> dict[str, object]:
    """Values of a row about to be deleted, without empty and secret ones."""
    fields = [*row._meta.concrete_fields, *row._meta.many_to_many]
    held = {field.name: _shown(row, field.name, None) for field in fields if field.name not in SECRET_FIELDS}
    return {name: value for name, value in held.items() if value not in (None, "")}


def _shown(row: Model, name: str, otherwise: object) -> object:
    """A field's readable value, a related object by its name. `otherwise`: for fields of the form alone."""
    if name in SECRET_FIELDS:
        return "•••"
    value = getattr(row, name, otherwise)
    if isinstance(value, Manager):
        own = name in {field.name for field in row._meta.many_to_many}
        value = value.all() if own else otherwise
    if isinstance(value, QuerySet | list | tuple):
        return ", ".join(sorted(str(one) for one in value))
    return value
