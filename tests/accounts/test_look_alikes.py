"""An address that looks like another one, or that a database or Unicode takes for it, is nobody's.

Run on SQLite and on PostgreSQL (`python -m tests.support.services`): they fold different letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import Group
from django.core import mail
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management import CommandError, call_command
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from chatsite.account_deletion.erasure import (
    do_request_account_deletion,
    erase_account_part,
)
from chatsite.accounts.addresses import canonical, check_address, same_address
from chatsite.accounts.first_admin import ensure_first_admin
from chatsite.accounts.invitations import do_accept, do_invite
from chatsite.accounts.models import GroupManager, Invitation, Role, User
from chatsite.accounts.verified_addresses import do_verify_address, has_verified_address
from tests.support.openid_provider import (
    OpenIDProvider,
    person_of,
    signed_in_through,
)
from tests.support.people import PASSWORD, make_user
from tests.support.staff import make_staff, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_window")]

OWNER = "mike.kiss@sky.example.org"

LOOK_ALIKES = {
    "dotless i": "m\u0131ke.kiss@sky.example.org",
    "capital I with a dot": "M\u0130KE.kiss@sky.example.org",
    "long s": "mike.ki\u017fs@sky.example.org",
    "Kelvin": "mi\u212ae.kiss@sky.example.org",
    "Kelvin in the domain": "mike.kiss@s\u212ay.example.org",
    "long s in the domain": "mike.kiss@\u017fky.example.org",
    "dotless i, all capitals": "MI\u212aE.K\u0131SS@SKY.EXAMPLE.ORG",
    "zero-width space": "mi\u200bke.kiss@sky.example.org",
    "zero-width joiner at the end": "mike.kiss\u200d@sky.example.org",
    "byte order mark": "\ufeffmike.kiss@sky.example.org",
    "soft hyphen in the domain": "mike.kiss@s\u00adky.example.org",
    "right-to-left mark": "mike.kiss@sky.example.org\u200f",
    "full width": "\uff4dike.kiss@sky.example.org",
    "full-width domain": "mike.kiss@\uff53ky.example.org",
    "full-width at": "mike.kiss\uff20sky.example.org",
    "ideographic full stop": "mike.kiss@sky\u3002example.org",
    "Cyrillic": "mike.kiss@sky.ex\u0430mple.org",
    "combining accent": "mike.kiss@sk\u0301y.example.org",
    "trailing NUL": "mike.kiss@sky.example.org\x00",
}

look_alikes = pytest.mark.parametrize("address", LOOK_ALIKES.values(), ids=LOOK_ALIKES)


NAMED = re.compile(r"holds the character U\+[0-9A-F]{4}")


def refused(page: HttpResponse) -> bool:
    """Whether the page says which character may not be in the address."""
    return bool(NAMED.search(page.content.decode()))


@pytest.fixture
def owner() -> User:
    user = User.objects.create_user(OWNER, PASSWORD, name="Mike")
    user.role = Role.OWNER
    user.save()
    do_verify_address(user)
    return user


def stored(address: str, **fields: Any) -> User:
    """An account of this address, as one may lie in a database from before addresses were checked."""
    return User.objects.create(email=address, **fields)


@pytest.fixture
def provider_says(provider: OpenIDProvider) -> Callable[[str], tuple[str, HttpResponse]]:
    """Who is signed in after a provider that has verified this address, and the page they come to."""

    def says(address: str) -> tuple[str, HttpResponse]:
        provider.person = {"sub": "mike", "email": address, "email_verified": True}
        client = Client()
        page = signed_in_through(client)
        return person_of(client), page

    return says


# --- the rule -------------------------------------------------------------------------------------


@look_alikes
def test_a_look_alike_is_another_address_and_refused_with_its_character(address: str) -> None:
    assert not same_address(address, OWNER)
    with pytest.raises(ValidationError, match=r"U\+[0-9A-F]{4}"):
        check_address(address)


@pytest.mark.parametrize("address", ["a b@example.org", '"a\tb"@example.org', "a@b", "a@@example.org", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        check_address(address)


def test_capitals_are_the_same_address_and_no_other_letter_changes() -> None:
    assert check_address("Mike.KISS@Sky.Example.ORG") == OWNER
    assert same_address("MIKE.KISS@SKY.EXAMPLE.ORG", OWNER)
    assert canonical("\u212a\u0130\u00c4") == "\u212a\u0130\u00c4"
    assert not same_address("mike.kiss@sky.example.com", OWNER)


def test_an_address_of_any_length_is_refused_with_both_numbers() -> None:
    with pytest.raises(ValidationError, match=r"at most 254 characters; this one has 10,?012"):
        check_address("a" * 10_000 + "@example.org")


# --- stored rows: the query proposes, the function decides ------------------------------------------


@look_alikes
def test_a_query_finds_no_look_alike(address: str) -> None:
    if "\x00" in address:
        pytest.skip("PostgreSQL stores no NUL")
    stored(address)
    assert User.objects.with_address(OWNER) is None
    with pytest.raises(User.DoesNotExist):
        User.objects.get_by_natural_key(OWNER)
    with pytest.raises(CommandError, match="there is no such account"):
        call_command("erase_account", OWNER, yes=True)
    assert User.objects.count() == 1


def test_a_look_alike_that_is_stored_hides_nobody(owner: User) -> None:
    stored("m\u0131ke.kiss@sky.example.org")
    for written in (OWNER, OWNER.upper()):
        assert User.objects.with_address(written) == owner
        assert User.objects.get_by_natural_key(written) == owner


def test_verifying_and_erasing_touch_no_look_alike(owner: User) -> None:
    other = stored("m\u0131ke.kiss@sky.example.org")
    EmailAddress.objects.create(user=other, email=other.email, verified=True, primary=True)
    Invitation.objects.create(email=other.email, digest="1" * 64, ends_at=timezone.now())
    Invitation.objects.create(email=OWNER, digest="2" * 64, ends_at=timezone.now())
    do_verify_address(owner)
    assert has_verified_address(other)
    assert has_verified_address(owner)
    make_staff("olga", Role.OWNER)
    do_request_account_deletion(owner.pk, None)
    while User.objects.filter(pk=owner.pk).exists():
        erase_account_part(owner.pk, None)
    assert [row.email for row in Invitation.objects.all()] == [other.email]


def test_a_verified_look_alike_vouches_for_nobody(owner: User) -> None:
    EmailAddress.objects.filter(user=owner).update(email="m\u0131ke.kiss@sky.example.org")
    assert not has_verified_address(owner)


# --- the doors --------------------------------------------------------------------------------------


@look_alikes
def test_single_sign_on_leads_a_look_alike_nowhere(address: str, owner: User, provider_says) -> None:
    who, page = provider_says(address)
    assert not who
    assert page.status_code == 403
    assert not SocialAccount.objects.exists()
    assert User.objects.count() == 1


def test_single_sign_on_leads_the_address_in_any_case_to_its_account(owner: User, provider_says) -> None:
    assert provider_says("Mike.KISS@sky.example.org")[0] == str(owner.pk)


def test_single_sign_on_leads_a_plain_address_to_no_stored_look_alike(provider_says) -> None:
    """The other way round: the account is the look-alike, and the provider vouches for the plain address."""
    other = stored("m\u0131ke.kiss@sky.example.org")
    EmailAddress.objects.create(user=other, email=other.email, verified=True, primary=True)
    assert provider_says(OWNER)[0] != str(other.pk)


@look_alikes
def test_signing_in_refuses_a_look_alike_with_words(address: str, owner: User) -> None:
    client = Client()
    page = client.post("/accounts/login/", {"login": address, "password": PASSWORD})
    assert page.status_code == 200
    assert "_auth_user_id" not in client.session
    assert refused(page)


def test_signing_in_takes_the_address_in_any_case(owner: User) -> None:
    client = Client()
    client.post("/accounts/login/", {"login": " Mike.KISS@sky.Example.org ", "password": PASSWORD})
    assert client.session["_auth_user_id"] == str(owner.pk)


def test_signing_in_goes_by_the_accounts_own_address_alone(owner: User) -> None:
    """allauth would also take an address that it once noted for the account."""
    EmailAddress.objects.filter(user=owner).update(email="old@example.org")
    client = Client()
    client.post("/accounts/login/", {"login": "old@example.org", "password": PASSWORD})
    assert "_auth_user_id" not in client.session


@look_alikes
def test_behind_the_form_a_look_alike_signs_in_as_nobody_either(address: str, owner: User) -> None:
    """The form lets none through; what allauth would make of one is looked at once more."""
    if "\x00" in address:
        pytest.skip("PostgreSQL takes no NUL in a query")
    adapter = get_account_adapter()
    assert adapter.authenticate(RequestFactory().post("/"), email=address, password=PASSWORD) is None
    assert adapter.authenticate(RequestFactory().post("/"), email=OWNER, password=PASSWORD) == owner


@look_alikes
def test_a_reset_is_sent_to_no_look_alike(address: str, owner: User, settings) -> None:
    settings.SENDS_MAIL = True
    page = Client().post("/accounts/password/reset/", {"email": address})
    assert page.status_code == 200
    assert refused(page)
    assert not mail.outbox


def test_a_reset_of_a_plain_address_is_not_sent_for_a_stored_look_alike(settings) -> None:
    settings.SENDS_MAIL = True
    stored("m\u0131ke.kiss@sky.example.org", password=make_user("alice", PASSWORD).password)
    Client().post("/accounts/password/reset/", {"email": OWNER})
    assert not any("reset/key" in message.body for message in mail.outbox)


@look_alikes
def test_joining_refuses_a_look_alike(address: str, settings) -> None:
    settings.SIGNUP_DOMAINS, settings.SENDS_MAIL = ["sky.example.org"], True
    page = Client().post("/join", {"email": address})
    assert refused(page)
    assert not mail.outbox
    assert not Invitation.objects.exists()


@look_alikes
def test_an_invitation_makes_no_look_alike(address: str, owner: User) -> None:
    _, token = do_invite("", Role.MEMBER, None, timezone.now() + timedelta(days=1), owner)
    form = {"email": address, "name": "", "password": "a long and quiet river"}
    page = Client().post(f"/invite/{token}", form)
    assert refused(page)
    with pytest.raises(ValidationError):
        do_accept(token, address, "", PASSWORD)
    with pytest.raises(ValidationError):
        do_invite(address, Role.MEMBER, None, timezone.now(), None)
    assert User.objects.count() == 1
    assert Invitation.objects.get().used_at is None, "it can still be used"


@look_alikes
def test_staff_and_managers_invite_and_make_no_look_alike(address: str, owner: User) -> None:
    group = Group.objects.create(name="interns")
    bob = make_user("bob")
    GroupManager.objects.create(group=group, user=bob)
    before = User.objects.count()
    page = signed_in(bob).post(f"/groups/{group.pk}", {"email": address})
    assert refused(page)
    admin = signed_in(owner)
    until = timezone.localtime() + timedelta(days=2)
    form = {"role": "member", "ends_at_0": f"{until:%Y-%m-%d}", "ends_at_1": "12:00:00", "email": address}
    assert refused(admin.post("/admin/accounts/invitation/add/", form))
    person = {"email": address, "name": "", "usable_password": "false"}
    assert refused(admin.post("/admin/accounts/user/add/", person))
    change = {"email": address, "name": "Bob", "role": "member", "is_active": "on"}
    assert refused(admin.post(f"/admin/accounts/user/{bob.pk}/change/", change))
    with pytest.raises(ValidationError):
        User.objects.create_user(address)
    assert User.objects.count() == before
    assert not Invitation.objects.exists()
    bob.refresh_from_db()
    assert bob.email == "bob@example.org"


def test_the_first_administrator_has_a_plain_address(monkeypatch) -> None:
    monkeypatch.setenv("CHATSITE_ADMIN_EMAIL", "adm\u0131n@example.org")
    with pytest.raises(ImproperlyConfigured, match=r"CHATSITE_ADMIN_EMAIL=.*U\+0131"):
        ensure_first_admin()
    assert not User.objects.exists()


def test_a_person_is_told_in_their_language() -> None:
    form = {"login": "adm\u0131n@example.org", "password": PASSWORD}
    page = Client().post("/accounts/login/", form, headers={"Accept-Language": "zh-hans"})
    assert "含有字符 U+0131" in page.content.decode()
