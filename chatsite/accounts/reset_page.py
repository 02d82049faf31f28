"""Pages to request a password-reset link by mail, and to set the password by one."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.password_reset import finalize_password_reset
from allauth.account.views import PasswordResetFromKeyView, PasswordResetView
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import ngettext

from chatsite.accounts.keys import keys_of
from chatsite.accounts.models import User
from chatsite.accounts.passwords import do_replace_password


class PasswordResetPage(PasswordResetView):
    """allauth's page; without a mail server it says whom to ask, and accepts no form."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.SENDS_MAIL:
            page: HttpResponse = self.get(request, *args, **kwargs)
            return page
        sent: HttpResponse = super().post(request, *args, **kwargs)
        return sent

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"sends_mail": settings.SENDS_MAIL}


class NewPasswordPage(PasswordResetFromKeyView):
    """allauth's page of a link; of several uses at the same moment one sets the password."""

    def form_valid(self, form: Any) -> HttpResponse:
        user = self.reset_user
        if not do_replace_password(user, form.cleaned_data["password1"]):
            used: HttpResponse = self.render_to_response(self.get_context_data(token_fail=True))
            return used
        tell_of_keys(self.request, user)
        done: HttpResponse | None = finalize_password_reset(self.request, user)
        return done or redirect(self.get_success_url())


def tell_of_keys(request: HttpRequest, user: User) -> None:
    """Say that a new password ends no API key: whoever changed it may think so."""
    if count := keys_of(user.pk).count():
        words = ngettext(
            "One API key of yours works as before. If somebody else may have it, revoke it.",
            "%(count)d API keys of yours work as before. If somebody else may have them, revoke them.",
            count,
        )
        messages.warning(request, words % {"count": count})
