"""Erased means gone from SQLite's files: the database, its freed pages, the search index and the log."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from chatsite.account_deletion.erasure import continue_account_deletions, do_request_account_deletion
from chatsite.account_deletion.proof import what_remains
from chatsite.accounts.models import User
from chatsite.attachments.erase import erase_deleted
from chatsite.conversations import scrub
from chatsite.conversations.models import Conversation
from chatsite.conversations.scrub import scrub_files
from chatsite.generations.submit import do_submit
from chatsite.transfer.import_rows import do_store_record
from tests.support.people import ask_of, make_user, submit
from tests.support.trees import long_chain

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL frees what is dead by itself"),
]

LONG_AGO = timezone.now() - timedelta(days=1)
"""A temporary chat of that age has been left."""

TEXTS = ("杭州西湖的秋天", "Why is the sky over Hangzhou so grey?", "x" * 70 + "needle" + "y" * 70)


def clean_up() -> None:
    """What the inference process does by and by."""
    for erase in (erase_deleted, continue_account_deletions, scrub_files):
        while erase():
            pass


def places(text: str) -> set[str]:
    """Which of the files hold the text."""
    database = Path(str(connection.settings_dict["NAME"]))
    files = (database, database.with_name(database.name + "-wal"))
    return {path.name[len(database.name) :] for path in files if text.encode() in path.read_bytes()}


@pytest.mark.parametrize("text", TEXTS)
def test_nothing_of_an_account_is_left_in_the_files(text: str) -> None:
    mark = uuid4().hex
    alice, bob = make_user(f"alice{mark}"), make_user("bob")
    for number in range(12):
        submit(alice, f"{text} {mark} {number}")
        submit(bob, f"something else {number}")
    do_store_record(alice.pk, long_chain(60, f"{text} {mark}"), "chatsite")
    assert places(mark)
    assert [line for line in what_remains(alice.pk, "", [mark]) if mark in line]
    do_request_account_deletion(alice.pk, None)
    clean_up()
    assert places(mark) == set()
    assert list(what_remains(alice.pk, alice.email, [mark, f"{alice.pk}x{mark}"])) == []
    assert User.objects.get() == bob


def test_a_temporary_chat_is_gone_from_the_files_when_it_ends() -> None:
    mark = uuid4().hex
    do_submit(ask_of(make_user("alice")), f"between us: {mark}", None, None, temporary=True)
    assert places(mark)
    Conversation.objects.update(updated_at=LONG_AGO)
    clean_up()
    assert places(mark) == set()


def test_a_large_file_is_left_to_the_operator(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Rebuilding it holds every writer up: it is said, and not done beside a running site."""
    monkeypatch.setattr(scrub, "REBUILT_BYTES", 1)
    do_request_account_deletion(make_user("alice").pk, None)
    clean_up()
    assert [record for record in caplog.records if "VACUUM it at a quiet hour" in record.getMessage()]


def test_a_reader_holds_the_truncation_up_only_for_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is due until it has been emptied."""
    monkeypatch.setattr(scrub, "LOCK_WAIT_MS", 1)
    mark = uuid4().hex
    do_submit(ask_of(make_user("alice")), mark, None, None, temporary=True)
    reader = connection.copy()
    try:
        with reader.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            cursor.execute("SELECT count(*) FROM conversations_message")
            Conversation.objects.update(updated_at=LONG_AGO)
            clean_up()
            assert "-wal" in places(mark)
            cursor.execute("COMMIT")
    finally:
        reader.close()
    clean_up()
    assert places(mark) == set()


def test_the_proof_sees_what_is_left_and_that_nothing_overwrites() -> None:
    mark = uuid4().hex
    submit(make_user("alice"), mark)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA secure_delete = OFF")
        Conversation.objects.all().delete()
        found = list(what_remains(0, "", [mark]))
        cursor.execute("PRAGMA secure_delete = ON")
    assert [line for line in found if line.startswith("secure_delete is off")]
    assert [line for line in found if mark in line]
