"""A link to set a password works once, says which keys go on working, and is sent to nobody else."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.test import Client

from chatsite.accounts import passwords
from chatsite.accounts.keys import do_create_key
from chatsite.accounts.models import ApiKey, User
from chatsite.environment.parsers import mail_sender
from tests.support.people import PASSWORD, make_user

pytestmark = pytest.mark.django_db(transaction=True)

NEW, OTHER = "new horse battery staple", "other horse battery staple"


@pytest.fixture(autouse=True)
def mails(settings, one_window: None) -> None:
    settings.SENDS_MAIL = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def ask(email: str) -> None:
    Client().post("/accounts/password/reset/", {"email": email})


def opened(user: User) -> tuple[Client, str]:
    """A browser on the form of a new link, and its address."""
    ask(user.email)
    link = re.search(r"https?://[^/]+(/accounts/password/reset/key/\S+)", mail.outbox[-1].body)
    assert link
    return follow(link[1])


def follow(link: str) -> tuple[Client, str]:
    client = Client()
    answer = client.get(link)
    return client, answer["Location"]


def send(client: Client, address: str, password: str) -> object:
    return client.post(address, {"password1": password, "password2": password})


def test_of_two_uses_at_once_one_sets_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    alice = make_user("alice", PASSWORD)
    first, address = opened(alice)
    link = re.search(r"/accounts/password/reset/key/\S+", mail.outbox[-1].body)
    assert link
    second, _ = follow(link[0])
    hash_password, answers = passwords.make_password, []

    def meanwhile(password: str) -> str:
        if password == NEW:  # the first has been let in and hashes; the second overtakes it
            answers.append(send(second, address, OTHER))
        return hash_password(password)

    monkeypatch.setattr(passwords, "make_password", meanwhile)
    late = send(first, address, NEW)
    assert answers[0].status_code == 302
    assert "used already" in late.content.decode()
    alice.refresh_from_db()
    assert alice.check_password(OTHER)


def test_a_link_sets_a_password_and_is_used_up() -> None:
    alice = make_user("alice", PASSWORD)
    client, address = opened(alice)
    assert send(client, address, NEW).status_code == 302
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert "used already" in send(client, address, OTHER).content.decode()


@pytest.mark.parametrize(("keys", "words"), [(0, None), (1, "One API key"), (3, "3 API keys")])
def test_keys_that_go_on_working_are_told(keys: int, words: str | None) -> None:
    alice = make_user("alice", PASSWORD)
    for number in range(keys):
        do_create_key(alice.pk, f"key {number}", ApiKey.Scope.values)
    client, address = opened(alice)
    answer = send(client, address, NEW)
    by_link = client.get(answer["Location"]).content.decode()
    at_home = Client()
    at_home.force_login(User.objects.get(pk=alice.pk))
    form = {"oldpassword": NEW, "password1": OTHER, "password2": OTHER}
    by_change = at_home.post("/accounts/password/change/", form, follow=True).content.decode()
    for page in (by_link, by_change):
        assert (words in page) if words else ("API key" not in page)


@pytest.mark.parametrize("address", ["nobody@example.org", "bob@elsewhere.example", "ALICE@example.net"])
def test_nobody_is_mailed_whom_the_site_does_not_know(address: str) -> None:
    make_user("alice", PASSWORD)
    ask(address)
    assert mail.outbox == []


def test_mail_has_a_sender(settings) -> None:
    settings.DEFAULT_FROM_EMAIL = "chat@example.org"
    alice = make_user("alice", PASSWORD)
    ask(alice.email)
    assert [one.from_email for one in mail.outbox] == ["chat@example.org"]


@pytest.mark.parametrize(
    ("user", "public", "sender"),
    [
        ("ada@example.org", "https://chat.example.org", "ada@example.org"),
        ("ada", "https://chat.example.org:8443", "chatsite@chat.example.org"),
        ("", "", "chatsite@localhost"),
    ],
)
def test_the_sender_is_never_a_webmaster(user: str, public: str, sender: str) -> None:
    assert mail_sender(user, public) == sender
