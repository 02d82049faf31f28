"""Invitations in the console: created here, the link shown once to be copied; needs no mail server."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminSplitDateTime
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from chatsite.accounts.addresses import AddressField
from chatsite.accounts.invitations import LONGEST, TOKEN_BYTES, invitation_digest
from chatsite.accounts.models import Invitation, Role
from chatsite.console.audited import AuditedAdmin
from chatsite.server.origins import shown_link

GOOD_FOR = timedelta(days=7)
"""Proposed validity: long enough for somebody on leave, short enough not to be forgotten."""


def _in_a_week() -> datetime:
    return timezone.now() + GOOD_FOR


class InvitationForm(forms.ModelForm):
    ends_at = forms.SplitDateTimeField(label=_("Expires"), initial=_in_a_week, widget=AdminSplitDateTime)

    class Meta:
        model = Invitation
        fields = ("email", "role", "group", "ends_at")
        field_classes = {"email": AddressField}

    def clean_ends_at(self) -> datetime:
        ends_at: datetime = self.cleaned_data["ends_at"]
        if ends_at > timezone.now() + LONGEST:
            message = _("An invitation is good for at most %(days)s days.")
            raise forms.ValidationError(message % {"days": LONGEST.days})
        return ends_at


class InvitationAdmin(AuditedAdmin):
    form = InvitationForm
    list_display = ("who", "role", "group", "ends_at", "created_by", "used_by")
    list_filter = ("role",)

    @admin.display(description=_("for"))
    def who(self, invitation: Invitation) -> str:
        return invitation.email or str(_("anyone with the link"))

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "role" and not request.user.is_superuser:
            kwargs["choices"] = [choice for choice in Role.choices if choice[0] != Role.OWNER]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        obj.created_by = request.user  # type: ignore[assignment]
        obj.digest = invitation_digest(token)
        super().save_model(request, obj, form, change)
        link = shown_link(request, reverse("invite", args=[token]))
        messages.success(
            request, format_html("{} <code>{}</code>", _("Copy this link now; it is shown once:"), link)
        )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """An invitation is created or deleted, never changed."""
        return False
