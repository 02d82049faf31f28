"""Sign-in and password-reset forms: allauth's, with e-mail addresses validated by the site's rule.

allauth lowercases by Unicode's rules before it looks for an account, which would match look-alikes.
"""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm, ResetPasswordForm

from chatsite.accounts.addresses import AddressField
from chatsite.accounts.models import User


class SignInForm(LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"] = _checked(self.fields["login"])


class PasswordResetForm(ResetPasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"] = _checked(self.fields["email"])

    def clean_email(self) -> str:
        """Send the link to the account of exactly this address; the page hides whether there is one."""
        email: str = self.cleaned_data["email"]
        account = User.objects.with_address(email)
        self.users = [account] if account and account.is_active else []
        return email


def _checked(field: Any) -> AddressField:
    return AddressField(label=field.label, widget=field.widget, required=field.required)
