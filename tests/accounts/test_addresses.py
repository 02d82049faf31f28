"""An address that somebody only typed joins nobody else to their account by single sign-on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from chatsite.accounts.invitations import do_accept, do_invite
from chatsite.accounts.models import Role, User
from chatsite.audit.models import AuditEntry
from tests.support.people import PASSWORD, make_user
from tests.support.staff import make_staff, signed_in

APP = {
    "provider_id": "sso", "name": "SSO", "client_id": "x", "secret": "x",
    "settings": {"server_url": "https://id.example.org"},
}  # fmt: skip

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_window")]


@pytest.fixture
def sso(settings) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [APP]}}


def joined(email: str) -> Any:
    """Sign in as whom the provider says this is; the account that it leads to, None for none."""
    request = RequestFactory().get("/")
    SessionMiddleware(lambda _: HttpResponse()).process_request(request)
    MessageMiddleware(lambda _: HttpResponse()).process_request(request)
    request.user = AnonymousUser()
    with context.request_context(request):
        login = SocialLogin(
            user=User(email=email),
            account=SocialAccount(provider="sso", uid=email),
            email_addresses=[EmailAddress(email=email, verified=True, primary=True)],
            provider=get_adapter().get_provider(request, "sso"),
        )
        complete_social_login(request, login)
    return request.user if request.user.is_authenticated else None


def invited(address: str, typed: str) -> User:
    until = timezone.now() + timedelta(days=1)
    _, token = do_invite(address, Role.MEMBER, None, until, make_staff("iris", Role.OWNER))
    return do_accept(token, typed, "", PASSWORD)


@pytest.mark.parametrize("way", ["get", "post"])
def test_nobody_changes_their_address_by_themselves(way: str) -> None:
    alice = make_user("alice")
    client = signed_in(alice)
    wish = {"action_add": "", "email": "victim@example.org"}
    assert getattr(client, way)("/accounts/email/", wish).url == "/"
    assert not EmailAddress.objects.filter(email="victim@example.org").exists()


def test_a_typed_address_joins_nobody(sso) -> None:
    mallory = invited("", "victim@example.org")
    # Signing in is what makes allauth take note of the address.
    Client().post("/accounts/login/", {"login": "victim@example.org", "password": PASSWORD})
    assert joined("victim@example.org") is None
    assert not SocialAccount.objects.exists()
    mallory.refresh_from_db()
    assert mallory.check_password(PASSWORD), "nothing happened to the account"


def test_an_invited_address_joins(sso) -> None:
    alice = invited("alice@example.org", "")
    assert joined("Alice@example.org") == alice
    assert SocialAccount.objects.get().user == alice


def test_an_administrators_word_joins_and_the_old_address_no_longer(sso) -> None:
    mallory = invited("old@example.org", "")
    admin = signed_in(make_staff("ada", Role.ADMINISTRATOR))
    form = {"email": "new@example.org", "name": "", "role": "member", "is_active": "on"}
    assert admin.post(f"/admin/accounts/user/{mallory.pk}/change/", form).status_code == 302
    assert joined("old@example.org") not in (None, mallory), "an account of its own"
    assert joined("new@example.org") == mallory


def test_an_address_that_an_administrator_confirmed_joins(sso) -> None:
    alice = invited("", "alice@example.org")
    admin = signed_in(make_staff("ada", Role.ADMINISTRATOR))
    form = {"email": "alice@example.org", "name": "Alice", "role": "member", "is_active": "on"}
    admin.post(f"/admin/accounts/user/{alice.pk}/change/", form)
    assert joined("alice@example.org") is None, "another change says nothing of the address"
    wish = {"action": "confirm_address", "_selected_action": alice.pk}
    for _ in range(2):
        admin.post("/admin/accounts/user/", wish)
    assert joined("alice@example.org") == alice
    assert AuditEntry.objects.filter(action="confirmed the address").count() == 1


def test_nobody_confirms_what_they_may_not_change(sso) -> None:
    owner = make_staff("olga", Role.OWNER)
    wish = {"action": "confirm_address", "_selected_action": owner.pk}
    for role in (Role.ADMINISTRATOR, Role.AUDITOR):
        signed_in(make_staff(role, role)).post("/admin/accounts/user/", wish)
    assert joined(owner.email) is None


def test_whom_the_provider_brought_comes_back_as_themselves(sso) -> None:
    first = joined("carol@example.org")
    assert first is not None
    assert joined("carol@example.org") == first
