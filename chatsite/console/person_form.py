"""The forms of a person in the console: a new one's, and an account's."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.hashers import is_password_usable
from django.core.exceptions import ValidationError
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from chatsite.accounts.addresses import AddressField
from chatsite.accounts.models import Role, User
from chatsite.console.outstanding import KINDS


class PasswordState(forms.Widget):
    """Whether there is a password, and where to set another. Nothing of its hash is shown."""

    read_only = True
    use_fieldset = True

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> Any:
        is_set = bool(value) and is_password_usable(value)
        state, action = (_("Set"), _("Set another")) if is_set else (_("None"), _("Set one"))
        return format_html('<p>{} · <a href="../password/">{}</a></p>', state, action)

    def id_for_label(self, id_: str | None) -> Any:
        """None: a label would point at nothing."""
        return None


class PersonCreationForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("email", "name")
        field_classes = {"email": AddressField}


class PersonChangeForm(UserChangeForm):
    """Roles instead of flags. Only owners make owners, and one of them stays."""

    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)
    keep = forms.MultipleChoiceField(
        label=_("Keep"), required=False, choices=[(kind.name, kind.label) for kind in KINDS],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("On deactivation or a lesser role, all of it ends but what is ticked here."),
    )  # fmt: skip

    class Meta:
        model = User
        fields = "__all__"
        field_classes = {"email": AddressField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "password" in self.fields:
            self.fields["password"].widget = PasswordState()
            self.fields["password"].help_text = ""
        if "role" in self.fields:
            self.initial["role"] = self.instance.role
        if "keep" in self.fields:
            self.initial["keep"] = []

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        role = cleaned.get("role", self.instance.role)
        stays = role == Role.OWNER and cleaned.get("is_active", self.instance.is_active)
        others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=self.instance.pk)
        if self.initial.get("role") == Role.OWNER and not stays and not others.exists():
            raise ValidationError(_("This is the last owner. Make somebody else an owner first."))
        return cleaned
