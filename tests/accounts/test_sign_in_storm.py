"""Wrong passwords in masses: few are hashed at once, the rest is told to wait, and the owner comes in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from chatsite import ratelimit
from chatsite.accounts import hashing
from chatsite.accounts.hashing import HashingQueue, QueuedPasswordHasher, hashing_queue
from chatsite.accounts.invitations import do_invite
from chatsite.accounts.known_devices import COOKIE
from chatsite.accounts.models import Role, User
from chatsite.errors import Refusal
from tests.support.people import PASSWORD, make_user
from tests.support.staff import make_staff
from tests.support.waiting import PATIENCE_S, wait_until

SIGN_IN = "/accounts/login/"


class Held:
    """A queue whose calls go on when they are let."""

    def __init__(self, queue: HashingQueue) -> None:
        self.queue = queue
        self.go_on = threading.Event()
        self.running = 0
        self.most = 0
        self.order: list[str] = []
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(64)

    def add(self, name: str, *, known: bool = False):
        return self._pool.submit(self.queue.run, lambda: self._call(name), known=known)

    def _call(self, name: str) -> str:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.order.append(name)
        assert self.go_on.wait(PATIENCE_S)
        with self._lock:
            self.running -= 1
        return name

    def close(self) -> None:
        self.go_on.set()
        self._pool.shutdown()


@pytest.fixture
def held() -> Iterator[Held]:
    """The process's own queue, of one thread."""
    hashing_queue.cache_clear()
    queue = HashingQueue(1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(hashing, "hashing_queue", lambda: queue)
        patched.setattr("chatsite.accounts.adapter.hashing_queue", lambda: queue)
        one = Held(queue)
        try:
            yield one
        finally:
            one.close()


def fill(held: Held) -> list:
    """One runs, and as many wait as may."""
    calls = [held.add("first")]
    wait_until(lambda: held.running == 1)
    calls += [held.add(f"stranger {number}") for number in range(hashing.MAX_WAITING)]
    wait_until(lambda: held.queue._count == 1 + hashing.MAX_WAITING)
    return calls


@pytest.fixture
def hashed(settings, monkeypatch: pytest.MonkeyPatch, one_window: None) -> None:
    """Passwords as the site stores them, but with few iterations."""
    settings.PASSWORD_HASHERS = ["chatsite.accounts.hashing.QueuedPasswordHasher"]
    monkeypatch.setattr(QueuedPasswordHasher, "iterations", 10)


def sign_in(client: Client, user: User, password: str = PASSWORD, address: str = "192.0.2.1", **headers: str):
    return client.post(
        SIGN_IN, {"login": user.email, "password": password}, REMOTE_ADDR=address, headers=headers
    )


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_a_hundred_at_once_are_hashed_one_at_a_time_and_most_are_told_to_wait(held: Held) -> None:
    calls = fill(held)
    refused = 0
    for number in range(100):
        with pytest.raises(Refusal) as refusal:
            held.queue.run(lambda: "never", known=False)
        refused += 1
        assert refusal.value.code == "queue_full", number
        assert refusal.value.retry_after_s == hashing.RETRY_S
    held.go_on.set()
    assert len([call.result(PATIENCE_S) for call in calls]) == 1 + hashing.MAX_WAITING
    assert (held.most, refused) == (1, 100)
    assert held.queue.run(lambda: "room again", known=False) == "room again"


def test_known_devices_have_places_and_come_first(held: Held) -> None:
    calls = fill(held)
    known = [held.add(f"known {number}", known=True) for number in range(hashing.MAX_WAITING_KNOWN)]
    wait_until(lambda: held.queue._count == 1 + hashing.MAX_WAITING + hashing.MAX_WAITING_KNOWN)
    with pytest.raises(Refusal):
        held.queue.run(lambda: "never", known=True)
    held.go_on.set()
    for call in (*calls, *known):
        call.result(PATIENCE_S)
    assert {name.split()[0] for name in held.order[1 : 1 + hashing.MAX_WAITING_KNOWN]} == {"known"}


def test_what_fails_gives_its_place_back() -> None:
    queue = HashingQueue(1)

    def broken() -> None:
        raise ZeroDivisionError

    for _ in range(2 * hashing.MAX_WAITING):
        with pytest.raises(ZeroDivisionError):
            queue.run(broken, known=False)
    assert queue.run(lambda: 1, known=False) == 1


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Too many people are signing in"), ("zh-hans", "登录")]
)
def test_a_full_queue_is_told_and_not_counted(
    hashed: None, held: Held, db: None, language: str, words: str
) -> None:
    alice, client = make_user("alice", PASSWORD), Client()
    fill(held)
    for _ in range(2 * ratelimit.SIGN_INS_PER_ACCOUNT):
        answer = sign_in(client, alice, accept_language=language)
        assert answer.status_code == 503
        assert answer["Retry-After"] == "5"
        assert answer["Cache-Control"] == "no-store"
        assert words in answer.content.decode()
    held.go_on.set()
    wait_until(lambda: held.queue._count == 0)
    sign_in(client, alice)
    assert is_in(client)


@pytest.mark.parametrize("path", ["/api/account", "/accounts/password/change/"])
def test_other_pages_that_hash_are_bounded_too(hashed: None, held: Held, db: None, path: str) -> None:
    alice, client = make_user("alice", PASSWORD), Client()
    client.force_login(alice)
    fill(held)
    if path == "/api/account":
        answer = client.post(path, {"proof": "wrong"}, "application/json")
        assert answer.json()["error"]["code"] == "queue_full"
    else:
        answer = client.post(path, {"oldpassword": PASSWORD, "password1": "new" + PASSWORD, "password2": ""})
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    held.go_on.set()


def lock_out(user: User) -> None:
    """As many wrong passwords as an account takes, each address within its own limit."""
    for number in range(ratelimit.SIGN_INS_FROM_ANYWHERE):
        answer = sign_in(Client(), user, "wrong password", f"198.51.100.{number}")
        assert answer.status_code == 200


def test_wrong_tries_from_many_addresses_do_not_lock_the_owner_out(hashed: None, db: None) -> None:
    alice = make_user("alice", PASSWORD)
    at_home, elsewhere = Client(), Client()
    sign_in(at_home, alice)
    at_home.cookies.pop("sessionid")
    lock_out(alice)
    sign_in(elsewhere, alice)
    assert not is_in(elsewhere), "a stranger's place is used up"
    sign_in(at_home, alice)
    assert is_in(at_home)


@pytest.mark.parametrize("whose", ["bob's", "forged", "cut", "another key's", "empty"])
def test_only_a_device_of_this_account_is_known(hashed: None, db: None, whose: str, settings) -> None:
    alice, bob = make_user("alice", PASSWORD), make_user("bob", PASSWORD)
    client = Client()
    sign_in(client, bob if whose == "bob's" else alice)
    token = client.cookies[COOKIE].value
    tokens = {
        "bob's": token,
        "forged": token.replace(":", "x:", 1),
        "cut": token[:-1],
        "another key's": token,
        "empty": "",
    }
    other = Client()
    other.cookies[COOKIE] = tokens[whose]
    if whose == "another key's":
        settings.SECRET_KEY = "x" * 60
    lock_out(alice)
    sign_in(other, alice)
    assert not is_in(other)


def test_a_known_device_guesses_no_more_than_others(hashed: None, db: None) -> None:
    alice, client = make_user("alice", PASSWORD), Client()
    sign_in(client, alice)
    client.cookies.pop("sessionid")
    cache.clear()
    for number in range(ratelimit.SIGN_INS_PER_ACCOUNT):
        sign_in(client, alice, "wrong password", f"198.51.100.{number}")
    sign_in(client, alice, address="198.51.100.200")
    assert not is_in(client)


def test_the_cookie_signs_nobody_in_and_says_nothing(hashed: None, db: None, settings) -> None:
    settings.SESSION_COOKIE_SECURE = True
    alice, client = make_user("alice", PASSWORD), Client()
    answer = sign_in(client, alice)
    cookie = answer.cookies[COOKIE]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"], cookie["secure"]) == (
        "/accounts/", True, "Lax", True,
    )  # fmt: skip
    assert "alice" not in cookie.value
    other = Client()
    other.cookies[COOKIE] = cookie.value
    assert other.get("/").status_code == 302


def test_who_comes_by_invitation_is_known_at_once(hashed: None, db: None) -> None:
    client = Client()
    soon = timezone.now() + timedelta(days=1)
    _row, token = do_invite("carol@example.org", Role.MEMBER, None, soon, make_staff("iris", Role.OWNER))
    client.post(f"/invite/{token}", {"name": "Carol", "password": PASSWORD})
    assert is_in(client)
    assert client.cookies[COOKIE].value


def test_a_family_is_known_on_one_device(hashed: None, db: None) -> None:
    family, client = [make_user(f"user{number}", PASSWORD) for number in range(3)], Client()
    for user in family:
        sign_in(client, user)
        client.cookies.pop("sessionid")
    lock_out(family[0])
    sign_in(client, family[0])
    assert is_in(client)
