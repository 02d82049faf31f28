"""What a person may have so many of is exact, however many requests ask for one more at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client

from chatsite.accounts.keys import MAX_KEYS, do_create_key, keys_of
from chatsite.conversations.library import MAX_KEPT
from chatsite.conversations.models import Prompt
from chatsite.errors import Refusal
from tests.support.people import PASSWORD, make_user
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 8


def at_once(ask: Callable[[int], str], times: int) -> list[str]:
    """What each of so many callers got, in rounds that begin together."""
    together = Barrier(AT_ONCE)

    def one(number: int) -> str:
        try:
            together.wait(PATIENCE_S)
            return ask(number)
        finally:
            connection.close()

    assert times % AT_ONCE == 0, "or the last ones wait for nobody"
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(times)))


def test_keys_made_in_parallel_are_no_more_than_the_limit() -> None:
    alice = make_user("alice")

    def ask(number: int) -> str:
        try:
            return do_create_key(alice.pk, f"key {number}", ["chat"])[1]
        except Refusal as refusal:
            return refusal.code

    told = at_once(ask, MAX_KEYS + 6)
    assert keys_of(alice.pk).count() == MAX_KEYS
    assert told.count("bad_frame") == 6


def test_prompts_kept_in_parallel_are_no_more_than_the_limit() -> None:
    alice = make_user("alice", PASSWORD)
    Prompt.objects.bulk_create(
        Prompt(owner=alice, name=f"Number {number}", content="text") for number in range(MAX_KEPT - 2)
    )
    client = Client()
    client.force_login(alice)
    cookies = client.cookies.output(header="", sep=";")

    def ask(number: int) -> str:
        body = {"name": f"New {number}", "content": "text"}
        answer = Client(headers={"cookie": cookies}).post("/api/prompts", body, "application/json")
        return str(answer.status_code)

    told = at_once(ask, AT_ONCE)
    assert Prompt.objects.filter(owner=alice).count() == MAX_KEPT
    assert told.count("201") == 2
