"""Single sign-on makes accounts at addresses that the provider has verified, free ones, within the policy."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from chatsite.accounts import adapter
from chatsite.accounts.models import Role, User
from chatsite.accounts.verified_addresses import do_verify_address
from tests.support.openid_provider import OpenIDProvider, person_of, signed_in_through
from tests.support.people import PASSWORD, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_window")]

FORM = "/accounts/3rdparty/signup/"


@pytest.fixture(autouse=True)
def carol(provider: OpenIDProvider) -> None:
    """New here; the provider vouches for her address unless a test says otherwise."""
    provider.person = {
        "sub": "carol-1", "email": "Carol@Example.org", "email_verified": True, "given_name": "Carol",
        "family_name": "Ng",
    }  # fmt: skip


def refused(said: str) -> Client:
    """She comes, and nothing is made. `said`: what the page tells her."""
    before = set(User.objects.values_list("pk", "email", "is_active", "password"))
    client = Client()
    page = signed_in_through(client)
    assert (page.status_code, person_of(client)) == (403, "")
    assert said in page.content.decode()
    assert 'href="/accounts/login/"' in page.content.decode(), "the password stays a way in"
    assert set(User.objects.values_list("pk", "email", "is_active", "password")) == before
    assert not SocialAccount.objects.exists()
    return client


def test_a_new_person_gets_an_account_of_their_verified_address() -> None:
    client = Client()
    assert signed_in_through(client).status_code == 302
    user = User.objects.get()
    assert (person_of(client), user.email, user.name, user.role) == (
        str(user.pk), "carol@example.org", "Carol Ng", Role.MEMBER,
    )  # fmt: skip
    assert not user.has_usable_password()
    address = EmailAddress.objects.get()
    assert (address.email, address.verified) == ("carol@example.org", True)
    kept = SocialAccount.objects.get().extra_data
    assert kept == {"userinfo": {"sub": "carol-1", "email": "Carol@Example.org", "name": "Carol Ng"}}


@pytest.mark.parametrize(
    "claims", [{"email": None}, {"email": ""}, {"email_verified": False}, {"email_verified": "false"}]
)
def test_without_a_vouched_address_there_is_no_account_and_no_form(
    provider: OpenIDProvider, claims: dict[str, Any]
) -> None:
    provider.person |= claims
    client = refused("vouches for no e-mail address")
    typed = {"email": "future.colleague@example.org"}
    assert client.get(FORM).url == "/accounts/login/"
    assert client.post(FORM, typed).url == "/accounts/login/"
    assert not User.objects.exists()


def test_a_closed_account_does_not_come_back_by_its_address(provider: OpenIDProvider) -> None:
    user = make_user("carol")
    do_verify_address(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    refused("is closed")


def test_a_closed_account_does_not_come_back_by_its_connection(provider: OpenIDProvider) -> None:
    signed_in_through(Client())
    User.objects.update(is_active=False)
    client = Client()
    for address in ("carol@example.org", "another@example.org"):
        provider.person["email"] = address
        signed_in_through(client)
        assert not person_of(client)
    assert User.objects.count() == 1


def test_an_account_whose_address_was_typed_is_not_taken_over() -> None:
    user = make_user("carol", PASSWORD)
    refused("made by somebody who typed that address")
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert person_of(client) == str(user.pk)
    refused("made by somebody who typed that address")


def test_an_address_that_leads_to_another_account_is_taken() -> None:
    EmailAddress.objects.create(user=make_user("bob"), email="carol@example.org", verified=True)
    refused("There is an account")


@pytest.mark.parametrize(
    ("domains", "comes_in"),
    [
        ([], True),
        (["example.org"], True),
        (["example.com", "example.org"], True),
        (["example.com"], False),
        (["ample.org"], False),
        (["example.org.evil.net"], False),
        (["org"], False),
    ],
)
def test_the_sign_up_domains_hold_here_too(settings, domains: list[str], comes_in: bool) -> None:
    settings.SIGNUP_DOMAINS = domains
    if comes_in:
        assert signed_in_through(Client()).status_code == 302
    else:
        refused("none of the domains")
    assert User.objects.exists() is comes_in


def test_a_site_by_invitation_makes_none_and_lets_in_who_has_one(settings) -> None:
    settings.OIDC_SIGNUP = False
    refused("by invitation")
    user = make_user("carol")
    do_verify_address(user)
    client = Client()
    signed_in_through(client)
    assert person_of(client) == str(user.pk)


def test_an_address_that_is_taken_meanwhile_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    before = adapter.check_sign_up

    def check_and_lose(address: str) -> None:
        before(address)
        make_user("carol")

    monkeypatch.setattr(adapter, "check_sign_up", check_and_lose)
    monkeypatch.setattr("allauth.socialaccount.internal.flows.signup.assess_unique_email", lambda _: True)
    client = Client()
    page = signed_in_through(client)
    assert (page.status_code, person_of(client)) == (409, "")
    assert not SocialAccount.objects.exists(), "nothing is left of the half that was stored"


def test_it_is_said_in_chinese(settings) -> None:
    settings.OIDC_SIGNUP = False
    page = signed_in_through(Client(headers={"Accept-Language": "zh-hans"}))
    assert "本站凭邀请建立账号" in page.content.decode()
