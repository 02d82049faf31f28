"""People and groups in the console: roles, membership, deactivation, effective limits, sign-in help."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from chatsite.accounts.connections import connection_name, connections_of, do_disconnect
from chatsite.accounts.groups import do_set_managers
from chatsite.accounts.models import Role, User
from chatsite.accounts.related_choices import RowsField
from chatsite.accounts.second_factor import do_reset_second_factor
from chatsite.accounts.verified_addresses import do_verify_address, has_verified_address
from chatsite.audit.record import record
from chatsite.console.audited import AuditedAdmin
from chatsite.console.outstanding import KINDS, do_end_outstanding, is_demotion, outstanding
from chatsite.console.person_form import PersonChangeForm, PersonCreationForm
from chatsite.console.quotas import notify_quota_changed
from chatsite.generations.deactivate import do_deactivate
from chatsite.quotas.assignments import do_assign_plan
from chatsite.quotas.limits import LIMIT_NAMES
from chatsite.quotas.models import Plan
from chatsite.quotas.plans import limits_of
from chatsite.quotas.templatetags.limits import limit_name
from chatsite.server.origins import shown_link

ROLE_FLAGS: dict[str, dict[str, bool]] = {
    Role.OWNER: {"is_superuser": True},
    Role.ADMINISTRATOR: {"is_superuser": False, "is_staff": True, "is_auditor": False},
    Role.AUDITOR: {"is_superuser": False, "is_staff": True, "is_auditor": True},
    Role.MEMBER: {"is_superuser": False, "is_staff": False},
}
"""Role → the flags by which its people are queried."""


class RoleFilter(admin.SimpleListFilter):
    """Filter by role rather than by the flags that store it."""

    title = _("role")
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return Role.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**ROLE_FLAGS.get(self.value() or "", {}))


class PeopleAdmin(AuditedAdmin, UserAdmin):
    """People. Deactivating one closes their sockets and cancels their generations at once."""

    form = PersonChangeForm
    add_form = PersonCreationForm
    ordering = ("email",)
    list_display = ("email", "name", "role_name", "is_active", "last_login")
    list_filter = ("is_active", RoleFilter, "groups")
    search_fields = ("email", "name")
    autocomplete_fields = ("groups",)
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        (_("Access"), {"fields": ("is_active", "role", "groups")}),
        (_("In progress"), {"fields": ("in_motion", "keep")}),
        (_("Limits"), {"fields": ("applies",)}),
        (_("Connected accounts"), {"fields": ("connected",)}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined", "applies", "connected", "conversations", "in_motion")
    add_fieldsets = (
        (
            None,
            {"classes": ("wide",), "fields": ("email", "name", "usable_password", "password1", "password2")},
        ),
    )

    actions = ("make_reset_link", "reset_second_factor", "confirm_address", "remove_connections")

    @admin.action(description=_("Create a password link"), permissions=["change"])
    def make_reset_link(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Show a password-reset link once, to be copied; needs no mail server."""
        for user in queryset:
            if not self.has_change_permission(request, user):
                continue
            key = {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}
            link = shown_link(request, reverse("account_reset_password_from_key", kwargs=key))
            record(request.user, "made a password link", user)
            messages.success(request, format_html("{}: <code>{}</code>", user, link))

    @admin.action(description=_("Confirm the e-mail address"), permissions=["change"])
    def confirm_address(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Verify an address that its owner typed: single sign-on matches this account from now on."""
        for user in queryset:
            if self.has_change_permission(request, user) and not has_verified_address(user):
                with transaction.atomic():
                    do_verify_address(user)
                    record(request.user, "confirmed the address", user)
                messages.success(request, _("%(person)s may use single sign-on now.") % {"person": user})

    @admin.action(description=_("Reset two-factor authentication"), permissions=["change"])
    def reset_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Remove a lost second factor: the person signs in by password alone until they set up a new one."""
        for user in queryset:
            if self.has_change_permission(request, user) and do_reset_second_factor(user):
                record(request.user, "reset the second factor", user)
                messages.success(
                    request, _("%(person)s has no two-factor authentication now.") % {"person": user}
                )

    @admin.action(description=_("Remove connected accounts"), permissions=["change"])
    def remove_connections(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Disconnect all provider accounts: no single sign-on until one is connected again."""
        for user in queryset:
            held = connections_of(user) if self.has_change_permission(request, user) else []
            for connection in held:
                do_disconnect(request.user, connection)
            if held:
                messages.success(request, _("%(person)s has no connected account now.") % {"person": user})

    @admin.display(description=_("by single sign-on"))
    def connected(self, user: User) -> str:
        return ", ".join(map(connection_name, connections_of(user))) or "–"

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "groups":
            field.help_text = _("Of their groups' plans, the most generous limits apply.")
        return field

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        found = super().get_fieldsets(request, obj)
        if obj and settings.STAFF_MAY_READ:
            return (*found, (_("Conversations"), {"fields": ("conversations",)}))
        return found

    @admin.display(description=_("conversations"))
    def conversations(self, user: User) -> str:
        link = reverse("admin:read_person", args=[user.pk])
        return format_html('<a href="{}">{}</a>', link, _("Read; each look is noted in the audit log"))

    @admin.display(description=_("open"))
    def in_motion(self, user: User) -> str:
        """What ends with the account or its role."""
        rows = [
            (label, count, ", ".join(names) + (" …" if count > len(names) else ""))
            for label, count, names in outstanding(user.pk)
        ]
        return format_html_join("", "<p>{} ({}): {}</p>", rows) or "–"

    @admin.display(description=_("role"))
    def role_name(self, user: User) -> str:
        return str(Role(user.role).label)

    @admin.display(description=_("in force, and why"))
    def applies(self, user: User) -> str:
        limits = limits_of(user.pk)
        rows = format_html_join(
            "",
            "<tr><th scope='row'>{}</th><td>{}</td><td>{}</td></tr>",
            [
                (limit_name(name), _limit(getattr(limits, name)), limits.why.get(name, "–"))
                for name in LIMIT_NAMES
            ],
        )
        return format_html("<table>{}</table>", rows)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Django's page, with an audit entry in the same transaction."""
        with transaction.atomic():
            before = self.get_object(request, unquote(id))
            response = super().user_change_password(request, id, form_url)
            after = self.get_object(request, unquote(id))
            if before is not None and after is not None and before.password != after.password:
                record(request.user, "set the password", after)
        return response

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if isinstance(obj, User) and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: people erase their accounts themselves, or a command does; the console deactivates."""
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if "role" in form.base_fields and not request.user.is_superuser:
            # A field of its own: the declared one is shared by all requests.
            choices = [choice for choice in Role.choices if choice[0] != Role.OWNER]
            form.base_fields["role"] = forms.ChoiceField(label=_("Role"), choices=choices)
        return form

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if "role" in form.cleaned_data:
            obj.role = form.cleaned_data["role"]
        super().save_model(request, obj, form, change)
        if not change or "email" in form.changed_data:
            do_verify_address(obj)
        if not change:
            return
        is_closed = "is_active" in form.changed_data and not obj.is_active
        if is_closed:
            do_deactivate(obj.pk)
        if is_closed or is_demotion(form.initial["role"], obj.role):
            tell_ended(request, obj, do_end_outstanding(obj, form.cleaned_data["keep"]))


def tell_ended(request: HttpRequest, subject: User | Group, ended: dict[str, int]) -> None:
    """Tell who ended so many of each kind, and the audit log."""
    if not ended:
        return
    record(request.user, "ended what was set in motion", subject, before=ended)
    told = ", ".join(f"{kind.label}: {ended[kind.name]}" for kind in KINDS if kind.name in ended)
    messages.success(request, _("Ended: %(kinds)s.") % {"kinds": told})


class GroupForm(forms.ModelForm):
    """A group, the plan of its members, and its managers, who are active people."""

    plan = forms.ModelChoiceField(
        Plan.objects.order_by("name"), required=False, label=_("Plan"), empty_label=_("none of its own"),
        help_text=_("What its members may use. A person's own plan goes before it."),
    )  # fmt: skip
    managers = RowsField(
        User.objects.order_by("email"), required=False, label=_("Managers"),
        help_text=_("They see the group's usage and members, and invite into it."),
    )  # fmt: skip

    class Meta:
        model = Group
        fields = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(managers := self.fields.get("managers"), RowsField):
            managers.queryset = User.objects.filter(is_active=True).order_by("email")
        if self.instance.pk:
            self.initial["managers"] = list(User.objects.filter(managed__group=self.instance))
            self.initial["plan"] = Plan.objects.filter(assignments__group=self.instance).first()


class GroupAdmin(AuditedAdmin, DjangoGroupAdmin):  # type: ignore[misc]
    """Groups, for plans and reports. Rights come from roles, so Django's permissions are not shown."""

    form = GroupForm
    list_display = ("name", "plan_name", "count")
    fields = ("name", "plan", "managers", "members")
    readonly_fields = ("members",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found = super().get_queryset(request).select_related("plan_assignment__plan")
        counted: QuerySet[Any] = found.annotate(size=Count("user"))
        return counted

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Memberships under their own name rather than that of their table."""
        shown, counts, lacking, protected = super().get_deleted_objects(objs, request)
        table = User.groups.through._meta.verbose_name_plural
        named = {_("memberships") if kind == table else kind: count for kind, count in counts.items()}
        return shown, named, lacking, protected

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        if "managers" in form.cleaned_data:
            count = do_set_managers(form.instance, form.cleaned_data["managers"])
            tell_ended(request, form.instance, {"invitations": count} if count else {})
        super().save_related(request, form, formsets, change)
        if "plan" in form.changed_data:
            _assign(form.instance, form.cleaned_data["plan"])

    @admin.display(description=_("Plan"))
    def plan(self, group: Any) -> str:
        """What auditors see in place of the field."""
        return self.plan_name(group)

    @admin.display(description=_("Managers"))
    def managers(self, group: Any) -> str:
        """What auditors see in place of the field."""
        return ", ".join(map(str, User.objects.filter(managed__group=group).order_by("email"))) or "–"

    @admin.display(description=_("plan"))
    def plan_name(self, group: Any) -> str:
        assignment = getattr(group, "plan_assignment", None)
        return str(assignment.plan) if assignment else "–"

    @admin.display(description=_("members"), ordering="size")
    def count(self, group: Any) -> int:
        size: int = group.size
        return size

    @admin.display(description=_("members"))
    def members(self, group: Any) -> str:
        return ", ".join(map(str, group.user_set.all())) or "–"


def _assign(group: Group, plan: Plan | None) -> None:
    """Set or remove the group's plan, and notify its members' open pages."""
    do_assign_plan(group, plan)
    notify_quota_changed(list(User.objects.filter(groups=group).values_list("pk", flat=True)))


def _limit(value: float | bool | tuple[str, ...] | None) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or str(_("every model"))
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    return str(_("unlimited")) if value is None else f"{value:,}"
