"""The retention policy in the console: one row, each change in the audit."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from chatsite.audit.record import record
from chatsite.retention.cleanup import do_begin_policy
from chatsite.retention.models import RetentionPolicy


@admin.register(RetentionPolicy)
class RetentionAdmin(admin.ModelAdmin):
    """The list leads to the one row; nobody adds a second or deletes it."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        do_begin_policy()
        return redirect("admin:retention_retentionpolicy_change", 1)

    def changeform_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            return super().changeform_view(*args, **kwargs)

    def save_model(self, request: HttpRequest, obj: RetentionPolicy, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        changed = form.changed_data
        before = {name: form.initial.get(name) for name in changed}
        after = {name: form.cleaned_data[name] for name in changed}
        record(request.user, "changed", obj, before, after)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
