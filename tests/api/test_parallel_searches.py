"""One search of one person at a time: each holds a thread and a connection of the database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from chatsite import ratelimit
from chatsite.api import search as view
from tests.support.people import make_user
from tests.support.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 1


def ask(cookies: str) -> HttpResponse:
    try:
        return Client(headers={"cookie": cookies}).get("/api/search?q=sky")
    finally:
        connection.close()


def cookies_of(name: str) -> str:
    client = Client()
    client.force_login(make_user(name))
    return client.cookies.output(header="", sep=";")


def test_two_hundred_searches_of_one_person(monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = cookies_of("alice"), cookies_of("bob")
    begun, go_on = Semaphore(0), Event()

    def slow(_user: int, _text: str, _before: int | None) -> tuple[list[object], None]:
        begun.release()
        assert go_on.wait(PATIENCE_S)
        return [], None

    monkeypatch.setattr(view, "search", slow)
    with ThreadPoolExecutor(AT_ONCE + 1) as pool:
        try:
            first = [pool.submit(ask, alice) for _ in range(AT_ONCE)]
            for _ in first:
                assert begun.acquire(timeout=PATIENCE_S)
            for _ in range(200 - AT_ONCE):
                refused = ask(alice)
                assert refused.status_code == 429
                assert refused.json()["error"]["code"] == "rate_limited"
                assert refused["Retry-After"] == "1"
            others = pool.submit(ask, bob)
            assert begun.acquire(timeout=PATIENCE_S), "one person's searches hold up nobody else"
        finally:
            go_on.set()
        assert [done.result(PATIENCE_S).status_code for done in (*first, others)] == [200] * (AT_ONCE + 1)
    assert ask(alice).status_code == 200


def test_a_search_that_fails_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    alice = cookies_of("alice")

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(view, "search", broken)
        for _ in range(AT_ONCE + 1):
            with pytest.raises(ZeroDivisionError):
                ask(alice)
    assert ask(alice).status_code == 200


def test_a_search_whose_process_died_holds_the_place_for_a_while_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice = cookies_of("alice")
    monkeypatch.setattr(ratelimit, "HELD_S", 0.2)

    def dies(*_: object) -> tuple[list[object], None]:
        monkeypatch.setattr(view, "search", lambda *_: ([], None))
        wait_until(lambda: ask(alice).status_code == 200)
        return [], None

    monkeypatch.setattr(view, "search", dies)
    assert ask(alice).status_code == 200
