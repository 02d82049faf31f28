"""Connected accounts at the single sign-on provider: list, connect and disconnect them; all audited.

A connected account can sign in from then on. So connecting one asks for the password or the second factor
again: somebody at an unlocked browser has neither.
"""

from __future__ import annotations

from typing import Any

from allauth.account.forms import ChangePasswordForm
from allauth.account.internal.flows.reauthentication import (
    get_reauthentication_flows,
    raise_if_reauthentication_required,
)
from allauth.account.views import PasswordChangeView
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from chatsite.accounts.models import User
from chatsite.accounts.reset_page import tell_of_keys
from chatsite.audit.record import record
from chatsite.errors import Refusal

REAUTHENTICATION_APP = "allauth.socialaccount"
"""The allauth app whose setting says that changes here ask for reauthentication."""


def connections_of(user: User) -> list[SocialAccount]:
    return list(SocialAccount.objects.filter(user=user).order_by("date_joined"))


def connection_name(connection: SocialAccount) -> str:
    """The address that the provider gave for the account, else the name or the provider's own id."""
    said = connection.extra_data.get("userinfo") or {}
    return str(said.get("email") or said.get("name") or connection.uid)


def check_may_connect(request: HttpRequest) -> None:
    """Require a recent authentication. Raises ReauthenticationRequired, which leads to that page and back.

    Raises Refusal for an account with neither password nor second factor: allauth would accept its session.
    """
    raise_if_reauthentication_required(request, app=REAUTHENTICATION_APP)
    if not get_reauthentication_flows(request.user):
        message = _("Set a password or a second factor first; connecting an account asks for it.")
        raise Refusal("sign_on_refused", message)


def record_connection(request: HttpRequest, sociallogin: Any, **_: Any) -> None:
    """Receiver of allauth's `social_account_added`: write the new connection to the audit log."""
    user, name = sociallogin.user, connection_name(sociallogin.account)
    record(user, "connected", user, after={"connection": name})


@transaction.atomic
def do_disconnect(actor: Any, connection: SocialAccount) -> None:
    """Remove the connection: the provider's account cannot sign in to this one any more."""
    record(actor, "disconnected", connection.user, before={"connection": connection_name(connection)})
    connection.delete()


@never_cache
@require_http_methods(["GET", "POST"])
@login_required
def connections_page(request: HttpRequest) -> HttpResponse:
    """The page that lists connected accounts; POST removes one."""
    if request.method == "POST":
        raise_if_reauthentication_required(request, app=REAUTHENTICATION_APP)
        return _remove(request)
    return _list(request)


def _remove(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    wanted = request.POST.get("connection", "")
    found = [one for one in connections_of(request.user) if str(one.pk) == wanted]
    if found and len(connections_of(request.user)) == 1 and not request.user.has_usable_password():
        messages.error(request, _("You would be locked out: set a password first."))
    elif found:
        name = connection_name(found[0])
        do_disconnect(request.user, found[0])
        messages.success(request, _("%(name)s is not connected any more.") % {"name": name})
    return redirect("socialaccount_connections")


def _list(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    held = [{"row": row, "name": connection_name(row)} for row in connections_of(request.user)]
    providers = get_adapter().list_providers(request)
    return render(request, "account/connections.html", {"connections": held, "providers": providers})


class PasswordChangeForm(ChangePasswordForm):
    """The new password, with a box to remove the accounts that were connected in this session."""

    def __init__(self, *args: Any, connected: list[SocialAccount], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if connected:
            self.fields["disconnect"] = forms.BooleanField(
                required=False,
                label=gettext_lazy("Also remove what was connected in this session: %(names)s")
                % {"names": ", ".join(map(connection_name, connected))},
            )


class PasswordChangePage(PasswordChangeView):
    """The page to change the password, and to remove what somebody connected at an unlocked browser."""

    form_class = PasswordChangeForm

    def get_form_class(self) -> type[PasswordChangeForm]:
        return self.form_class

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_form_kwargs()
        return kwargs | {"connected": _connected_in_session(self.request)}

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        """Change the password first: hashing waits its turn, which no transaction should."""
        removed = _connected_in_session(self.request) if form.cleaned_data.get("disconnect") else []
        changed: HttpResponse = super().form_valid(form)
        assert isinstance(self.request.user, User)
        tell_of_keys(self.request, self.request.user)
        with transaction.atomic():
            for connection in removed:
                do_disconnect(self.request.user, connection)
        return changed


def _connected_in_session(request: HttpRequest) -> list[SocialAccount]:
    """The accounts connected since this session began, in any session; all where its start is not known."""
    assert isinstance(request.user, User)
    held = connections_of(request.user)
    session = UserSession.objects.filter(session_key=request.session.session_key).first()
    return [one for one in held if session is None or one.date_joined >= session.created_at]
