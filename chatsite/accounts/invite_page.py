"""`/invite/<token>`: make the account that one was invited to; `/join`: get such a link by mail."""

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

from chatsite.accounts.invitations import access_invitation, do_accept, do_invite
from chatsite.accounts.models import Role, User
from chatsite.address import address_of_request
from chatsite.errors import Refusal
from chatsite.ratelimit import check_stranger

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
JOIN_DAYS = 2
"""A link that was asked for is used at once, or the next morning."""


class AccountForm(forms.Form):
    """The new account. The address is fixed where the invitation names one."""

    email = forms.EmailField(label=gettext_lazy("E-mail"), max_length=254)
    name = forms.CharField(label=gettext_lazy("Name"), max_length=150, required=False)
    password = forms.CharField(
        label=gettext_lazy("Password"), widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].strip().lower()
        if User.objects.filter(email__iexact=email).exists():
            raise forms.ValidationError(_("There is an account with this address. Sign in instead."))
        return email

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, User(email=self.cleaned_data.get("email", "")))
        return password


class JoinForm(forms.Form):
    email = forms.EmailField(label=gettext_lazy("E-mail"), max_length=254)


@never_cache
@require_http_methods(["GET", "POST"])
def invite(request: HttpRequest, token: str) -> HttpResponse:
    """Show the form, make the account, sign in."""
    try:
        check_stranger(address_of_request(request))
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
    return redirect(settings.LOGIN_REDIRECT_URL)


@require_http_methods(["GET", "POST"])
def join(request: HttpRequest) -> HttpResponse:
    """For addresses of the site's own domains: the link goes to the address, which proves whose it is."""
    if not settings.SIGNUP_DOMAINS:
        return _refused(request, Refusal("not_found", _("Accounts are made by invitation here.")))
    if not settings.SENDS_MAIL:
        told = _("This site sends no mail. Ask an administrator for an invitation.")
        return _refused(request, Refusal("not_found", told))
    try:
        check_stranger(address_of_request(request))
    except Refusal as refusal:
        return _refused(request, refusal)
    form = JoinForm(request.POST or None)
    if form.is_valid():
        _send_link(request, form.cleaned_data["email"].strip().lower())
        return render(request, "account/join.html", {"sent": True})
    return render(request, "account/join.html", {"form": form})


def _send_link(request: HttpRequest, email: str) -> None:
    """Say nothing of which addresses are known: what is sent, or not, is seen in the mailbox alone."""
    domain = email.rpartition("@")[2]
    if domain not in settings.SIGNUP_DOMAINS or User.objects.filter(email__iexact=email).exists():
        return
    _row, token = do_invite(email, Role.MEMBER, None, timezone.now() + timedelta(days=JOIN_DAYS), None)
    link = request.build_absolute_uri(reverse("invite", args=[token]))
    text = _("Make your account here, within two days:\n\n%(link)s\n") % {"link": link}
    send_mail(_("Your account"), text, None, [email])


def _refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    return render(request, "account/invite_ended.html", {"refusal": refusal}, status=refusal.status)
