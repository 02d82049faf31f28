"""allauth's adapters: the site's policy for sign-in, sign-up and single sign-on."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from chatsite.accounts.addresses import check_address, same_address
from chatsite.accounts.hashing import hashing_for, hashing_queue
from chatsite.accounts.known_devices import known_device, remember_device
from chatsite.accounts.models import User
from chatsite.accounts.openid.refused_page import refused_page
from chatsite.accounts.openid.sign_up import check_sign_up
from chatsite.accounts.verified_addresses import has_verified_address
from chatsite.errors import Refusal
from chatsite.ratelimit import check_sign_in
from chatsite.server.client_address import address_of_request
from chatsite.server.origins import mailed_link, public_origin

NO_ADDRESS = "::"
"""The client address of a request that came over a Unix socket."""


class AccountAdapter(DefaultAccountAdapter):
    """No open sign-up: accounts are made by invitation or by an administrator."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count the attempt. Raises ValidationError with the time to wait, Refusal `queue_full` uncounted.

        allauth has one setting for passwords and second factors; its own counting is left to the second.
        """
        email = credentials.get("email", "")
        device = known_device(request, email)
        hashing_queue().check_room(known=bool(device))
        try:
            check_sign_in(address_of_request(request), email, device)
        except Refusal as refusal:
            raise ValidationError(refusal.message) from refusal

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """The user with this password, whose address is exactly the one that was typed."""
        with hashing_for(known=bool(known_device(request, credentials.get("email", "")))):
            user: User | None = super().authenticate(request, **credentials)
        return user if user and same_address(user.email, credentials.get("email", "")) else None

    def post_login(self, request: HttpRequest, user: User, **about: Any) -> HttpResponse:
        """Where the person goes on; the device is known to the account from now on."""
        response: HttpResponse = super().post_login(request, user, **about)
        remember_device(request, response, user)
        return response

    def format_email_subject(self, subject: str) -> str:
        return f"[{urlsplit(public_origin()).hostname}] {subject}"

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send one of allauth's mails, its links and its name of the site from the settings alone.

        allauth makes them of the request's Host, whose port anybody may choose.
        """
        asked = self.request.build_absolute_uri("/")
        named = {
            name: mailed_link("/" + value.removeprefix(asked))
            if isinstance(value, str) and value.startswith(asked)
            else value
            for name, value in context.items()
        }
        host = urlsplit(public_origin()).netloc
        super().send_mail(template_prefix, email, named | {"current_site": {"name": host, "domain": host}})

    def clean_email(self, email: str) -> str:
        return check_address(super().clean_email(email))

    def get_client_ip(self, request: HttpRequest) -> str:
        return address_of_request(request) or NO_ADDRESS


class SingleSignOnAdapter(DefaultSocialAccountAdapter):
    """Single sign-on: which account the provider's user gets, and whether a new one is made."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """True, or a page with the reason: no form follows on which a missing address could be typed."""
        addresses = [address.email for address in sociallogin.email_addresses if address.verified]
        try:
            check_sign_up(addresses[0] if addresses else "")
        except Refusal as refusal:
            raise ImmediateHttpResponse(refused_page(request, refusal)) from refusal
        return True

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> Any:
        """Save account, connection and address in one transaction."""
        with transaction.atomic():
            return super().save_user(request, sociallogin, form)

    def authenticate_by_email(self, sociallogin: Any) -> tuple[Any, str] | None:
        """The account of an address that the provider verified and that is verified here too."""
        for address in sociallogin.email_addresses:
            if not address.verified or not self.can_authenticate_by_email(sociallogin, address.email):
                continue
            user = User.objects.with_address(address.email)
            if user is not None and user.is_active and has_verified_address(user):
                return user, user.email
        return None

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> Any:
        user = super().populate_user(request, sociallogin, data)
        user.name = data.get("name") or " ".join(
            filter(None, (data.get("first_name"), data.get("last_name")))
        )
        return user
