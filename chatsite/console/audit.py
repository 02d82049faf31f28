"""The audit log, to be read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from chatsite.audit.models import AuditEntry


class AuditAdmin(admin.ModelAdmin):
    """Nobody adds, changes or deletes here."""

    list_display = ("at", "actor_name", "action", "subject", "change")
    list_filter = ("action", "at")
    search_fields = ("actor_name", "subject")
    date_hierarchy = "at"

    @admin.display(description=_("before → after"))
    def change(self, entry: AuditEntry) -> str:
        names = dict.fromkeys([*entry.before, *entry.after])
        return "; ".join(
            f"{name}: {entry.before.get(name, '–')} → {entry.after.get(name, '–')}" for name in names
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
