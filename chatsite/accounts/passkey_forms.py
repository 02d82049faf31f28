"""Forms for passkeys and security keys: allauth's, with translated labels, a schema and the counter check."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    EditWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django.core.exceptions import BadRequest
from django.utils.translation import gettext_lazy as _

from chatsite.accounts.passkeys import (
    AuthenticationCredential,
    CredentialField,
    RegistrationCredential,
    check_counter,
    counter_of,
)


class AddKeyForm(AddWebAuthnForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["credential"] = CredentialField(RegistrationCredential)
        self.fields["name"].label = _("Name of the key")
        if "passwordless" in self.fields:
            self.fields["passwordless"].label = _("Sign in with it alone, without a password")


class EditKeyForm(EditWebAuthnForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].label = _("Name of the key")


class _CounterCheckedForm(AuthenticateWebAuthnForm):
    """An authentication with a key: read by the schema, verified by allauth, its counter checked."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["credential"] = CredentialField(AuthenticationCredential)

    def clean_credential(self) -> Authenticator:
        credential = self.cleaned_data["credential"]
        if self.user is None and not credential["response"].get("userHandle"):
            raise BadRequest("The credential does not say whose it is.")
        authenticator: Authenticator = super().clean_credential()
        check_counter(authenticator, counter_of(credential))
        return authenticator


class SignInByKeyForm(LoginWebAuthnForm, _CounterCheckedForm):
    """Sign-in with a passkey alone."""


class SecondFactorKeyForm(_CounterCheckedForm):
    """The second factor, after the password."""


class ReauthenticateByKeyForm(ReauthenticateWebAuthnForm, _CounterCheckedForm):
    """Reauthentication, before a change that an unlocked browser alone may not make."""
