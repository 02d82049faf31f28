"""Plans, whose they are, and extra tokens. The person's open pages learn of a change at once."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chatsite.accounts.models import User
from chatsite.accounts.sockets import tell_from_thread
from chatsite.console.audited import AuditedAdmin
from chatsite.quotas.models import Grant, Plan, PlanAssignment
from chatsite.quotas.resolution import ALLOWANCES


class PlanAdmin(AuditedAdmin):
    list_display = ("name", "tokens_per_day", "tokens_per_month", "requests_per_minute", "weight", "holders")
    fieldsets = (
        (None, {"fields": ("name", "tokens_per_day", "tokens_per_month")}),
        (
            _("More limits"),
            {
                "fields": (
                    "requests_per_minute",
                    "max_active",
                    "max_running",
                    "max_context",
                    "max_output",
                    "weight",
                )
            },
        ),
        (_("Features"), {"fields": ALLOWANCES}),
    )

    @admin.display(description=_("applies to"))
    def holders(self, plan: Plan) -> str:
        assignments = plan.assignments.select_related("user", "group")
        return ", ".join(str(one.user or one.group or _("everybody")) for one in assignments) or "–"


class AssignmentAdmin(AuditedAdmin):
    list_display = ("holder", "plan")
    list_filter = ("plan",)
    autocomplete_fields = ("user",)

    @admin.display(description=_("for"))
    def holder(self, assignment: PlanAssignment) -> str:
        return str(assignment.user or assignment.group or _("everybody"))

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        _tell(_people_of(form.instance))


class GrantAdmin(AuditedAdmin):
    list_display = ("user", "tokens", "used", "reason", "ends_at", "created_by")
    list_filter = ("ends_at",)
    search_fields = ("user__email", "user__name", "reason")
    autocomplete_fields = ("user",)
    readonly_fields = ("used", "created_by", "created_at")

    def save_model(self, request: HttpRequest, obj: Grant, form: ModelForm, change: bool) -> None:
        if not change:
            obj.created_by = request.user  # type: ignore[assignment]
            obj.created_at = timezone.now()
        super().save_model(request, obj, form, change)
        _tell([obj.user_id])

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was drawn from a grant stays in the ledger: end it by its date."""
        return False


def _people_of(assignment: PlanAssignment) -> list[int]:
    people: QuerySet[User] = User.objects.filter(is_active=True)
    if assignment.user_id:
        people = people.filter(pk=assignment.user_id)
    elif assignment.group_id:
        people = people.filter(groups=assignment.group_id)
    return list(people.values_list("pk", flat=True))


def _tell(people: list[int]) -> None:
    def now() -> None:
        for user in people:
            tell_from_thread(user, "quota.changed")

    transaction.on_commit(now)
