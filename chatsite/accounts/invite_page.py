"""Pages of invitations: `/invite/<token>` creates the account, `/join` mails such a link."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.password_validation import validate_password
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from chatsite.accounts.addresses import AddressField
from chatsite.accounts.invitations import access_invitation, do_accept, do_invite
from chatsite.accounts.known_devices import remember_device
from chatsite.accounts.models import Role, User
from chatsite.errors import Refusal
from chatsite.ratelimit import check_anonymous
from chatsite.server.client_address import address_of_request
from chatsite.server.origins import mailed_link

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
JOIN_DAYS = 2
"""Validity of a link from /join: it is used at once, or the next morning."""


class AccountForm(forms.Form):
    """The new account. The address is fixed where the invitation names one."""

    email = AddressField(label=gettext_lazy("E-mail"))
    name = forms.CharField(label=gettext_lazy("Name"), max_length=150, required=False)
    password = forms.CharField(
        label=gettext_lazy("Password"), widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if User.objects.with_address(email):
            raise forms.ValidationError(_("There is an account with this address. Sign in instead."))
        return email

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, User(email=self.cleaned_data.get("email", "")))
        return password


class JoinForm(forms.Form):
    email = AddressField(label=gettext_lazy("E-mail"))


@never_cache
@require_http_methods(["GET", "POST"])
def invite(request: HttpRequest, token: str) -> HttpResponse:
    """The invitation's page: shows the form, creates the account, signs it in."""
    try:
        check_anonymous(address_of_request(request))
        invitation = access_invitation(token, timezone.now())
    except Refusal as refusal:
        return _refused(request, refusal)
    form = AccountForm(request.POST or None, initial={"email": invitation.email})
    if invitation.email:
        form.fields["email"].disabled = True
    if not form.is_valid():
        return render(request, "account/invite.html", {"form": form})
    try:
        user = do_accept(token, **form.cleaned_data)
    except Refusal as refusal:
        return _refused(request, refusal)
    login(request, user, BACKEND)
    response = redirect(settings.LOGIN_REDIRECT_URL)
    remember_device(request, response, user)
    return response


@require_http_methods(["GET", "POST"])
def join(request: HttpRequest) -> HttpResponse:
    """The page to join: mails an invitation to an address of a domain that may join, which verifies it."""
    if not settings.SIGNUP_DOMAINS:
        return _refused(request, Refusal("not_found", _("Accounts are made by invitation here.")))
    if not settings.SENDS_MAIL:
        message = _("This site sends no mail. Ask an administrator for an invitation.")
        return _refused(request, Refusal("not_found", message))
    try:
        check_anonymous(address_of_request(request))
    except Refusal as refusal:
        return _refused(request, refusal)
    form = JoinForm(request.POST or None)
    if form.is_valid():
        _send_link(request, form.cleaned_data["email"])
        return render(request, "account/join.html", {"sent": True})
    return render(request, "account/join.html", {"form": form})


def _send_link(request: HttpRequest, email: str) -> None:
    """Mail the link, if the address may have one. The page looks the same either way."""
    domain = email.rpartition("@")[2]
    if domain not in settings.SIGNUP_DOMAINS or User.objects.with_address(email):
        return
    _row, token = do_invite(email, Role.MEMBER, None, timezone.now() + timedelta(days=JOIN_DAYS), None)
    link = mailed_link(reverse("invite", args=[token]))
    text = _("Make your account here, within two days:\n\n%(link)s\n") % {"link": link}
    send_mail(_("Your account"), text, None, [email])


def _refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    return render(request, "account/invite_ended.html", {"refusal": refusal}, status=refusal.status)
