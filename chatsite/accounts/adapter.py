"""Sign-in and sign-up, as allauth asks for them."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from chatsite.accounts.addresses import is_vouched
from chatsite.accounts.models import User
from chatsite.address import address_of_request
from chatsite.errors import Refusal
from chatsite.ratelimit import check_sign_in

NO_ADDRESS = "::"
"""Of who comes by a Unix socket."""


class AccountAdapter(DefaultAccountAdapter):
    """No open sign-up: accounts are made by invitation or by an administrator."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count the attempt. Raises ValidationError with the time to wait.

        allauth has one setting for passwords and second factors; its own counting is left to the second.
        """
        try:
            check_sign_in(address_of_request(request), credentials.get("email", ""))
        except Refusal as refusal:
            raise ValidationError(refusal.message) from refusal

    def get_client_ip(self, request: HttpRequest) -> str:
        return address_of_request(request) or NO_ADDRESS


class SingleSignOnAdapter(DefaultSocialAccountAdapter):
    """The provider decides who belongs to the team: whom it lets in gets an account."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return True

    def authenticate_by_email(self, sociallogin: Any) -> tuple[Any, str] | None:
        """The account of an address that the provider verified, where somebody vouched for it here too."""
        for address in sociallogin.email_addresses:
            if not address.verified or not self.can_authenticate_by_email(sociallogin, address.email):
                continue
            user = User.objects.filter(email__iexact=address.email, is_active=True).first()
            if user is not None and is_vouched(user):
                return user, user.email
        return None

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> Any:
        user = super().populate_user(request, sociallogin, data)
        user.name = data.get("name") or " ".join(
            filter(None, (data.get("first_name"), data.get("last_name")))
        )
        return user
