"""Plans, plan assignments and grants in the console; a change notifies the users' open pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.forms import ModelForm, Textarea
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chatsite.accounts.models import User
from chatsite.accounts.socket_events import notify_user_sync
from chatsite.backends import read_status
from chatsite.console.audited import AuditedAdmin
from chatsite.quotas.limits import ALLOWANCES, names_in
from chatsite.quotas.models import Grant, Plan, PlanAssignment


def _grouped(name: str, label: Any) -> Callable[[Model], str]:
    """A list's column of a whole number, with its digits in groups; a dash for none."""

    @admin.display(description=label, ordering=name)
    def shown(row: Model) -> str:
        value = getattr(row, name)
        return "–" if value is None else f"{value:,}"

    shown.__name__ = name
    return shown


class PlanAdmin(AuditedAdmin):
    list_display = (
        "name", _grouped("tokens_per_day", _("tokens per day")),
        _grouped("tokens_per_month", _("tokens per month")), "requests_per_minute", "weight", "holders",
    )  # fmt: skip
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
                    "max_stored_mb",
                    "weight",
                )
            },
        ),
        (_("Models and features"), {"fields": ("model_names", *ALLOWANCES)}),
    )

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "model_names":
            kwargs["widget"] = Textarea(attrs={"rows": 3, "cols": 40})
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "model_names" and (served := _served()):
            now = _("The one that answers now is %(model)s.") % {"model": served}
            field.help_text = f"{field.help_text} {now}"
        return field

    def save_model(self, request: HttpRequest, obj: Plan, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        names, served = names_in(obj.model_names), _served()
        if names and served and served not in names:
            message = _("%(model)s, which answers now, is not in this plan: who has it cannot ask.")
            messages.warning(request, message % {"model": served})

    @admin.display(description=_("applies to"))
    def holders(self, plan: Plan) -> str:
        assignments = plan.assignments.select_related("user", "group")
        return ", ".join(str(one.user or one.group or _("everybody")) for one in assignments) or "–"


class AssignmentAdmin(AuditedAdmin):
    list_display = ("holder", "plan")
    list_filter = ("plan",)
    autocomplete_fields = ("user",)
    fieldsets = (
        (
            None,
            {
                "fields": ("plan", "group", "user"),
                "description": _("For a group or a person; without either, for whoever has no other."),
            },
        ),
    )

    @admin.display(description=_("for"))
    def holder(self, assignment: PlanAssignment) -> str:
        return str(assignment.user or assignment.group or _("everybody"))

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        notify_quota_changed(users_of_assignment(form.instance))


class GrantAdmin(AuditedAdmin):
    list_display = (
        "user", _grouped("tokens", _("tokens")), _grouped("used", _("used")), "reason", "ends_at",
        "created_by",
    )  # fmt: skip
    list_filter = ("ends_at",)
    search_fields = ("user__email", "user__name", "reason")
    autocomplete_fields = ("user",)
    readonly_fields = ("used", "created_by", "created_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        asked = ("user", "tokens", "reason", "ends_at")
        return asked if obj is None else (*asked, *self.readonly_fields)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Propose the end of the day in a week."""
        day = timezone.localdate() + timedelta(days=7)
        return {"ends_at": datetime.combine(day, time(23, 59, 59), timezone.get_current_timezone())}

    def save_model(self, request: HttpRequest, obj: Grant, form: ModelForm, change: bool) -> None:
        if not change:
            obj.created_by = request.user  # type: ignore[assignment]
            obj.created_at = timezone.now()
        super().save_model(request, obj, form, change)
        notify_quota_changed([obj.user_id])

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: the ledger refers to what was used of a grant; set its end date instead."""
        return False


def _served() -> str:
    """The model that is being served; empty before the engine has reported it."""
    status, _samples = async_to_sync(read_status)()
    return status.info.model if status.info else ""


def users_of_assignment(assignment: PlanAssignment) -> list[int]:
    """Ids of the people to whom an assignment applies."""
    people: QuerySet[User] = User.objects.all()
    if assignment.user_id:
        people = people.filter(pk=assignment.user_id)
    elif assignment.group_id:
        people = people.filter(groups=assignment.group_id)
    return list(people.values_list("pk", flat=True))


def notify_quota_changed(people: list[int]) -> None:
    """On commit, have the open pages of these users read their limits again."""

    def now() -> None:
        for user in people:
            notify_user_sync(user, "quota.changed")

    transaction.on_commit(now)
