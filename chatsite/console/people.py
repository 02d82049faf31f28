"""People: roles, groups, deactivation, what applies to them and why. Groups: who is in them."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from chatsite.accounts.addresses import do_vouch, is_vouched
from chatsite.accounts.models import Role, User
from chatsite.audit.record import record
from chatsite.console.audited import AuditedAdmin
from chatsite.console.quotas import tell
from chatsite.generations.deactivate import do_deactivate
from chatsite.quotas.models import Plan, PlanAssignment
from chatsite.quotas.resolution import ALLOWANCES, LIMITS
from chatsite.quotas.templatetags.limits import limit_name
from chatsite.quotas.terms import terms_of


class PersonCreation(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("email", "name")
        field_classes = {"email": forms.EmailField}


class PersonChange(UserChangeForm):
    """Roles instead of flags. Only owners make owners, and one of them stays."""

    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)

    class Meta:
        model = User
        fields = "__all__"
        field_classes = {"email": forms.EmailField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "role" in self.fields:
            self.initial["role"] = self.instance.role

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        role = cleaned.get("role", self.instance.role)
        stays = role == Role.OWNER and cleaned.get("is_active", self.instance.is_active)
        others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=self.instance.pk)
        if self.initial.get("role") == Role.OWNER and not stays and not others.exists():
            raise ValidationError(_("This is the last owner. Make somebody else an owner first."))
        return cleaned


FLAGS: dict[str, dict[str, bool]] = {
    Role.OWNER: {"is_superuser": True},
    Role.ADMINISTRATOR: {"is_superuser": False, "is_staff": True, "is_auditor": False},
    Role.AUDITOR: {"is_superuser": False, "is_staff": True, "is_auditor": True},
    Role.MEMBER: {"is_superuser": False, "is_staff": False},
}
"""Of each role, how its people are found."""


class RoleFilter(admin.SimpleListFilter):
    """By role: the flags behind it are nobody's words."""

    title = _("role")
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return Role.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**FLAGS.get(self.value() or "", {}))


class PeopleAdmin(AuditedAdmin, UserAdmin):
    """Deactivating ends sockets and runs at once."""

    form = PersonChange
    add_form = PersonCreation
    ordering = ("email",)
    list_display = ("email", "name", "role_name", "is_active", "last_login")
    list_filter = ("is_active", RoleFilter, "groups")
    search_fields = ("email", "name")
    autocomplete_fields = ("groups",)
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        (_("Rights"), {"fields": ("is_active", "role", "groups")}),
        (_("What applies, and why"), {"fields": ("applies",)}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined", "applies", "conversations")
    add_fieldsets = (
        (
            None,
            {"classes": ("wide",), "fields": ("email", "name", "usable_password", "password1", "password2")},
        ),
    )

    actions = ("make_reset_link", "reset_second_factor", "confirm_address")

    @admin.action(description=_("Make a link to set a new password"), permissions=["change"])
    def make_reset_link(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Shown once, to be copied: works without a mail server."""
        for user in queryset:
            if not self.has_change_permission(request, user):
                continue
            key = {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}
            link = request.build_absolute_uri(reverse("account_reset_password_from_key", kwargs=key))
            record(request.user, "made a password link", user)
            messages.success(request, format_html("{}: <code>{}</code>", user, link))

    @admin.action(description=_("Confirm the e-mail address"), permissions=["change"])
    def confirm_address(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """For who typed it themselves: from now on single sign-on leads to this account."""
        for user in queryset:
            if self.has_change_permission(request, user) and not is_vouched(user):
                with transaction.atomic():
                    do_vouch(user)
                    record(request.user, "confirmed the address", user)
                messages.success(request, _("%(person)s may use single sign-on now.") % {"person": user})

    @admin.action(description=_("Reset the second factor"), permissions=["change"])
    def reset_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """For who lost the telephone: they sign in by password alone, and set up a new one."""
        for user in queryset:
            if (
                self.has_change_permission(request, user)
                and Authenticator.objects.filter(user=user).delete()[0]
            ):
                record(request.user, "reset the second factor", user)
                messages.success(request, _("%(person)s has no second factor now.") % {"person": user})

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

    @admin.display(description=_("role"))
    def role_name(self, user: User) -> str:
        return str(Role(user.role).label)

    @admin.display(description=_("limits"))
    def applies(self, user: User) -> str:
        terms = terms_of(user.pk)
        rows = format_html_join(
            "",
            "<tr><th scope='row'>{}</th><td>{}</td><td>{}</td></tr>",
            [
                (limit_name(name), _limit(getattr(terms, name)), terms.why.get(name, "–"))
                for name in (*LIMITS, *ALLOWANCES, "model_names", "weight")
            ],
        )
        return format_html("<table>{}</table>", rows)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Django's page, which notes a changed password with the change."""
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
        """Erasure is a person's own, or a command's; the console deactivates."""
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
            do_vouch(obj)
        if change and "is_active" in form.changed_data and not obj.is_active:
            do_deactivate(obj.pk)


class GroupForm(forms.ModelForm):
    """A group, the plan of its members, and its managers, who are active people."""

    plan = forms.ModelChoiceField(
        Plan.objects.order_by("name"), required=False, label=_("Plan"), empty_label=_("none of its own"),
        help_text=_("What its members may use. A person's own plan goes before it."),
    )  # fmt: skip
    managers = forms.ModelMultipleChoiceField(
        User.objects.filter(is_active=True).order_by("email"), required=False, label=_("Managers"),
        help_text=_("They see the group's usage and members, and invite into it."),
    )  # fmt: skip

    class Meta:
        model = Group
        fields = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["managers"] = list(User.objects.filter(managed__group=self.instance))
            self.initial["plan"] = Plan.objects.filter(assignments__group=self.instance).first()


class GroupAdmin(AuditedAdmin, DjangoGroupAdmin):
    """Teams, for plans and reports. Rights come from roles, so permissions are not shown."""

    form = GroupForm
    list_display = ("name", "plan_name", "count")
    fields = ("name", "plan", "managers", "members")
    readonly_fields = ("members",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found = super().get_queryset(request).select_related("plan_assignment__plan")
        counted: QuerySet[Any] = found.annotate(size=Count("user"))
        return counted

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        if "managers" in form.cleaned_data:
            chosen = form.cleaned_data["managers"]
            form.instance.managers.exclude(user__in=chosen).delete()
            for user in chosen:
                form.instance.managers.get_or_create(user=user)
        super().save_related(request, form, formsets, change)
        if "plan" in form.changed_data:
            _assign(form.instance, form.cleaned_data["plan"])

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
    """The group's plan, or none of its own; its members' pages learn of it."""
    if plan is None:
        PlanAssignment.objects.filter(group=group).delete()
    else:
        PlanAssignment.objects.update_or_create(group=group, defaults={"plan": plan})
    tell(list(User.objects.filter(groups=group, is_active=True).values_list("pk", flat=True)))


def _limit(value: float | bool | tuple[str, ...] | None) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or str(_("every model"))
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    return str(_("none")) if value is None else f"{value:,}"
