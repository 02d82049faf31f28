"""Ending an answer and revoking its key meet in the same rows, and neither is a deadlock's victim.

On SQLite there is one writer: this is PostgreSQL's (`python -m tests.support.services`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils import timezone

from chatsite.accounts.keys import do_create_key
from chatsite.accounts.models import ApiKey
from chatsite.generations.cancel import do_revoke_key_and_stop, pending_stops
from chatsite.generations.key_budget import charge_keys
from chatsite.generations.models import Generation, GenerationStatus
from chatsite.generations.submit import do_submit_prompt
from inference.request import ChatMessage
from tests.support.people import ask_of, make_user
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)


def wait_until_somebody_waits_for_a_lock() -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits")


def in_a_thread(function: Callable[[], object]) -> Callable[[], object]:
    def run() -> object:
        try:
            return function()
        finally:
            connection.close()

    return run


def test_a_key_is_revoked_while_its_answer_ends() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("one writer: whoever comes second waits for the whole transaction")
    alice = make_user("alice")
    key, _ = do_create_key(alice.pk, "a script", ["chat"])
    done = do_submit_prompt(
        ask_of(alice, api_key=key.id), [ChatMessage("user", "Why is the sky blue?")], store=True
    )
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            # What the recorder does, in its order: the generation, and what its key is charged.
            Generation.objects.filter(id=done.generation).update(
                status=GenerationStatus.FINISHED, usage={"prompt_tokens": 3, "completion_tokens": 4}
            )
            revoked = pool.submit(in_a_thread(lambda: do_revoke_key_and_stop(key.id)))
            wait_until_somebody_waits_for_a_lock()
            charge_keys([(key.id, 7)])
        assert revoked.result(PATIENCE_S) == []
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert key.tokens_used == 7


def test_what_a_key_asked_stops_when_it_ends() -> None:
    alice, now = make_user("alice"), timezone.now()
    expected: set[UUID] = set()
    for ends, revoked, stopped in (
        (None, False, False),
        (timedelta(hours=1), False, False),
        (timedelta(0), False, True),
        (timedelta(seconds=-1), False, True),
        (None, True, True),
    ):
        key, _ = do_create_key(alice.pk, "a script", ["chat"])
        ask = ask_of(alice, api_key=key.id)
        done = do_submit_prompt(ask, [ChatMessage("user", "Why is the sky blue?")], store=True)
        ApiKey.objects.filter(id=key.id).update(
            expires_at=None if ends is None else now + ends, revoked_at=now if revoked else None
        )
        if stopped:
            expected.add(done.generation)
    assert set(pending_stops(now)) == expected
    Generation.objects.update(status=GenerationStatus.FINISHED)
    assert not pending_stops(now)
