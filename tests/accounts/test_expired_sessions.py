"""Sessions that have run out go, from Django's table and from the list; an erased account's at once."""

from __future__ import annotations

from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from chatsite.account_deletion.erasure import erase_account_part
from chatsite.account_deletion.proof import what_remains
from chatsite.accounts.models import User
from chatsite.cleanup import cleanup_tasks
from tests.support.people import People


def sign_in(user: User, *, expired: bool = False) -> str:
    """A session as signing in makes it, with its row in the list; its key."""
    client = Client()
    client.force_login(user)
    key = client.session.session_key
    assert key
    UserSession.objects.update_or_create(
        session_key=key, defaults={"user": user, "ip": "192.0.2.7", "user_agent": "x"}
    )
    if expired:
        Session.objects.filter(session_key=key).update(expire_date=timezone.now() - timedelta(minutes=1))
    return key


def test_expired_sessions_are_erased_and_open_ones_stay(people: People, monkeypatch) -> None:
    monkeypatch.setattr("chatsite.accounts.expired_sessions.AT_ONCE", 2)
    stays = sign_in(people.bob)
    for _ in range(3):
        sign_in(people.alice, expired=True)
    while sum(task.erase() for task in cleanup_tasks()):
        pass
    assert list(Session.objects.values_list("session_key", flat=True)) == [stays]
    assert list(UserSession.objects.values_list("session_key", flat=True)) == [stays]


def test_an_erased_account_leaves_no_session_not_even_an_expired_one(people: People) -> None:
    sign_in(people.alice, expired=True)
    kept = sign_in(people.bob, expired=True)
    id = people.alice.pk
    assert any("sessions" in line for line in what_remains(id))
    while User.objects.filter(pk=id).exists():
        erase_account_part(id, None)
    assert not [line for line in what_remains(id) if "sessions" in line]
    assert list(Session.objects.values_list("session_key", flat=True)) == [kept]
