"""Accounts at the provider that lead to one here: connected and removed with proof, and audited."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from django.utils import timezone

from chatsite.accounts.models import Role, User
from chatsite.audit.models import AuditEntry
from tests.accounts.codes import code_of
from tests.support.openid_provider import OpenIDProvider, consented, leads_to, person_of, signed_in_through
from tests.support.people import PASSWORD, make_user
from tests.support.staff import make_staff, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_window")]

PAGE = "/accounts/3rdparty/"
START = "/accounts/oidc/sso/login/"
MALLORY = {"sub": "mallory", "email": "mallory@example.com", "email_verified": True}


@pytest.fixture
def alice(provider: OpenIDProvider) -> User:
    provider.person = MALLORY
    return make_user("alice", PASSWORD)


def signed_in_as(user: User) -> Client:
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert person_of(client) == str(user.pk)
    return client


def connection_of(user: User, uid: str = "1") -> SocialAccount:
    said = {"userinfo": {"sub": uid, "email": f"{uid}@example.com"}}
    return SocialAccount.objects.create(user=user, provider="sso", uid=uid, extra_data=said)


def connect(client: Client, password: str = PASSWORD) -> None:
    """The button, the question who it is, the provider, and back."""
    asked = client.post(START, {"process": "connect"})
    assert asked.url.startswith("/accounts/reauthenticate/")
    to_provider = client.post(asked.url, {"password": password})
    if address := leads_to(to_provider):
        client.get(consented(address))


def entries() -> list[tuple[str, str, dict, dict]]:
    rows = AuditEntry.objects.order_by("pk")
    return [(row.actor_name, row.action, row.before, row.after) for row in rows]


def test_an_open_browser_connects_nothing(alice: User, provider: OpenIDProvider) -> None:
    """Mallory at Alice's desk, with an account of theirs at the provider and without her password."""
    client = signed_in_as(alice)
    assert client.post(START, {"process": "connect"}).url.startswith("/accounts/reauthenticate/")
    assert client.post(f"{START}?process=connect").url.startswith("/accounts/reauthenticate/")
    connect(client, password="wrong")
    assert not provider.asked["/authorize"], "nobody was sent there"
    assert not SocialAccount.objects.exists()
    assert person_of_provider() != str(alice.pk)


def person_of_provider() -> str:
    """Whom Mallory signs in as by the provider."""
    client = Client()
    signed_in_through(client)
    return person_of(client)


def test_who_proves_themselves_connects_and_signs_in_with_it(alice: User) -> None:
    connect(signed_in_as(alice))
    assert SocialAccount.objects.get().user == alice
    assert person_of_provider() == str(alice.pk)
    assert entries() == [("alice@example.org", "connected", {}, {"connection": "mallory@example.com"})]


def test_the_proof_is_asked_for_again_after_a_while(alice: User, settings) -> None:
    """The way to the provider and back may take an hour: what comes back then waits for the proof."""
    client = signed_in_as(alice)
    asked = client.post(START, {"process": "connect"})
    to_provider = client.post(asked.url, {"password": PASSWORD})
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 0
    back = client.get(consented(leads_to(to_provider)))
    assert back.url == "/accounts/reauthenticate/"
    assert not SocialAccount.objects.exists()


def test_a_second_factor_proves_too(alice: User) -> None:
    alice.set_unusable_password()
    alice.save()
    secret = generate_totp_secret()
    TOTP.activate(alice, secret)
    client = signed_in(alice)
    asked = client.post(START, {"process": "connect"})
    assert asked.url.startswith("/accounts/2fa/reauthenticate/")
    to_provider = client.post(asked.url, {"code": code_of(secret)})
    client.get(consented(leads_to(to_provider)))
    assert SocialAccount.objects.get().user == alice


def test_who_has_neither_connects_nothing(alice: User) -> None:
    alice.set_unusable_password()
    alice.save()
    page = signed_in(alice).post(START, {"process": "connect"})
    assert page.status_code == 403
    assert "Set a password or a second factor first" in page.content.decode()
    assert not SocialAccount.objects.exists()


def test_they_are_listed_and_removed_by_who_proves_themselves(alice: User) -> None:
    connection = connection_of(alice)
    client = signed_in_as(alice)
    assert "1@example.com" in client.get(PAGE).content.decode()
    asked = client.post(PAGE, {"connection": connection.pk})
    assert asked.url.startswith("/accounts/reauthenticate/")
    assert SocialAccount.objects.exists()
    client.post(asked.url, {"password": PASSWORD})
    assert not SocialAccount.objects.exists()
    assert entries() == [("alice@example.org", "disconnected", {"connection": "1@example.com"}, {})]


def test_nobody_sees_or_removes_anothers(alice: User) -> None:
    connection = connection_of(alice)
    bob = signed_in_as(make_user("bob", PASSWORD))
    assert "1@example.com" not in bob.get(PAGE).content.decode()
    bob.post("/accounts/reauthenticate/", {"password": PASSWORD})
    for wanted in (connection.pk, "²", "9" * 5000, "", "x"):
        assert bob.post(PAGE, {"connection": wanted}).url == PAGE
    assert SocialAccount.objects.exists()
    assert Client().get(PAGE).url.startswith("/accounts/login/")


def test_nobody_locks_themselves_out(alice: User) -> None:
    alice.set_unusable_password()
    alice.save()
    connection = connection_of(alice)
    page = signed_in(alice).post(PAGE, {"connection": connection.pk}, follow=True)
    assert "locked out" in page.content.decode()
    assert SocialAccount.objects.exists()


def test_the_console_lists_and_removes_them(alice: User) -> None:
    connection_of(alice)
    connection_of(alice, "2")
    auditor = signed_in(make_staff("tom", Role.AUDITOR))
    admin = signed_in(make_staff("ada", Role.ADMINISTRATOR))
    assert (
        "1@example.com, 2@example.com"
        in admin.get(f"/admin/accounts/user/{alice.pk}/change/").content.decode()
    )
    wish = {"action": "remove_connections", "_selected_action": alice.pk}
    auditor.post("/admin/accounts/user/", wish)
    assert SocialAccount.objects.count() == 2
    admin.post("/admin/accounts/user/", wish)
    assert not SocialAccount.objects.exists()
    assert [entry[:2] for entry in entries()] == [("ada@example.org", "disconnected")] * 2


def test_administrators_remove_no_owners(provider: OpenIDProvider) -> None:
    owner = make_staff("olga", Role.OWNER)
    connection_of(owner)
    wish = {"action": "remove_connections", "_selected_action": owner.pk}
    signed_in(make_staff("ada", Role.ADMINISTRATOR)).post("/admin/accounts/user/", wish)
    assert SocialAccount.objects.exists()


@pytest.mark.parametrize("asked", [True, False])
def test_a_new_password_ends_what_was_connected_in_the_session_if_asked(alice: User, asked: bool) -> None:
    old = connection_of(alice, "old")
    SocialAccount.objects.update(date_joined=timezone.now() - timedelta(days=30))
    client = signed_in_as(alice)
    connection_of(alice, "new")
    page = client.get("/accounts/password/change/").content.decode()
    assert "connected in this session: new@example.com" in page
    form = {"oldpassword": PASSWORD, "password1": "a quiet river", "password2": "a quiet river"}
    assert client.post("/accounts/password/change/", form | ({"disconnect": "on"} if asked else {})).url
    alice.refresh_from_db()
    assert alice.check_password("a quiet river")
    assert list(SocialAccount.objects.filter(uid="old")) == [old]
    assert SocialAccount.objects.filter(uid="new").exists() != asked
    assert [entry[1] for entry in entries()] == ["disconnected"] * asked


def test_a_wrong_password_ends_nothing(alice: User) -> None:
    client = signed_in_as(alice)
    connection_of(alice)
    form = {"oldpassword": "wrong", "password1": "a quiet river", "password2": "a quiet river"}
    client.post("/accounts/password/change/", form | {"disconnect": "on"})
    assert SocialAccount.objects.exists()


def test_the_pages_speak_chinese(alice: User) -> None:
    connection_of(alice)
    client = signed_in_as(alice)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "zh-hans"
    assert "已关联的账号" in client.get(PAGE).content.decode()
    assert "已关联的账号" in client.get("/accounts/2fa/").content.decode()
