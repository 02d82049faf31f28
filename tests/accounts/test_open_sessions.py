"""Where am I signed in: listed for its owner alone; the others are signed out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client
from django.utils import timezone

from chatsite.accounts.sessions import SEEN_EVERY_S
from chatsite.accounts.user_agents import browser_name
from tests.support.people import PASSWORD, People, make_user

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/139.0.0.0 Safari/537.36 Edg/139.0.0.0"
)
PAGE = "/accounts/sessions/"


def browser(user_agent: str) -> Client:
    """Signed in by the form, as alice."""
    client = Client(headers={"user-agent": user_agent})
    client.post("/accounts/login/", {"login": "alice@example.org", "password": PASSWORD})
    return client


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox 140 · Linux"),
        (SAFARI, "Safari 18 · iPhone"),
        (EDGE, "Edge 139 · Windows"),
        ("curl/8.14", "curl/8.14"),
        ("", ""),
    ],
)
def test_browsers_go_by_their_names(user_agent: str, name: str) -> None:
    assert browser_name(user_agent) == name


@pytest.mark.usefixtures("one_window")
def test_the_others_are_listed_and_signed_out(db: None) -> None:
    make_user("alice", PASSWORD)
    here, there = browser(FIREFOX), browser(SAFARI)
    text = here.get(PAGE).content.decode()
    assert text.index("Firefox 140 · Linux") < text.index("This browser") < text.index("Safari 18 · iPhone")
    assert there.get("/").status_code == 200
    assert "Signed out of all other sessions." in here.post(PAGE, follow=True).content.decode()
    assert there.get("/").headers["Location"].startswith("/accounts/login/")
    text = here.get(PAGE).content.decode()
    assert ("Safari" in text, "You are signed in nowhere else." in text) == (False, True)
    assert here.get("/").status_code == 200


def test_others_sessions_are_neither_listed_nor_ended(people: People) -> None:
    alice, bob = Client(headers={"user-agent": FIREFOX}), Client(headers={"user-agent": EDGE})
    alice.force_login(people.alice)
    bob.force_login(people.bob)
    assert alice.get("/").status_code == bob.get("/").status_code == 200
    assert "Edge" not in alice.get(PAGE).content.decode()
    alice.post(PAGE)
    assert bob.get("/").status_code == 200
    assert Client().get(PAGE).headers["Location"].startswith("/accounts/login/")


def test_a_visit_is_noted_now_and_then_and_lists_older_sessions(people: People) -> None:
    client = Client(headers={"user-agent": FIREFOX})
    client.force_login(people.alice)
    assert not UserSession.objects.exists()  # as if it had signed in before there was a list
    client.get("/")
    long_ago = timezone.now() - timedelta(seconds=SEEN_EVERY_S + 1)
    UserSession.objects.update(last_seen_at=long_ago)
    client.get("/")
    row = UserSession.objects.get()
    assert row.last_seen_at > long_ago
    client.get("/")
    assert UserSession.objects.get().last_seen_at == row.last_seen_at
