"""Documents end with their conversation, their owner or their composer; no row and no file is left."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from chatsite.attachments import erase
from chatsite.attachments.access import access_attachment, access_attachments
from chatsite.attachments.erase import (
    FORGOTTEN_S,
    STRAY_S,
    do_discard,
    erase_abandoned,
    erase_conversations,
    erase_conversations_part,
    erase_documents_part,
    erase_messages,
    erase_messages_part,
)
from chatsite.attachments.models import Attached, Attachment
from chatsite.attachments.storage import file_path, incoming_path
from chatsite.conversations.access import visible_conversations
from chatsite.conversations.actions import (
    UNDO_S,
    conversations_due_for_erasure,
    do_delete_conversations,
    do_restore_conversations,
)
from chatsite.conversations.messages import do_delete_message, messages_due_for_erasure
from chatsite.conversations.models import Conversation, Message
from chatsite.errors import Refusal
from chatsite.generations.models import Generation, GenerationStatus
from chatsite.slices import SliceBudget
from tests.support.documents import attach, store
from tests.support.people import People, submit


def files(data_dir: Path) -> list[Path]:
    return [path for path in (data_dir / "attachments").rglob("*") if path.is_file()]


@pytest.mark.parametrize("stranger", ["bob", "charlie"])
def test_documents_of_others_answer_like_missing_ones(people: People, stranger: str) -> None:
    row = store(people.alice)
    assert access_attachment(people.alice.pk, row.id).name == "notes.txt"
    for access in (lambda who: access_attachment(who, row.id), lambda who: access_attachments(who, [row.id])):
        with pytest.raises(Refusal) as refusal:
            access(getattr(people, stranger).pk)
        assert refusal.value.code == "not_found"


def test_a_deleted_conversation_takes_its_documents_along(
    people: People, data_dir: Path, django_capture_on_commit_callbacks
) -> None:
    done, kept = submit(people.alice), submit(people.alice)
    gone, stays = store(people.alice), store(people.alice)
    attach(gone, Message.objects.get(id=done.message))
    attach(stays, Message.objects.get(id=kept.message))
    do_delete_conversations(people.alice.pk, [done.conversation])
    with pytest.raises(Refusal):  # hidden at once
        access_attachment(people.alice.pk, gone.id)
    Conversation.objects.filter(id=done.conversation).update(
        deleted_at=timezone.now() - timedelta(seconds=UNDO_S + 1)
    )
    with django_capture_on_commit_callbacks(execute=True):
        assert erase_conversations(conversations_due_for_erasure()) > 0
    assert list(Attachment.objects.values_list("id", flat=True)) == [stays.id]
    assert Attached.objects.count() == 1
    assert files(data_dir) == [file_path(stays.id)]


def test_a_deleted_message_takes_the_documents_along_that_stand_in_no_other(
    people: People, data_dir: Path, django_capture_on_commit_callbacks
) -> None:
    first = submit(people.alice)
    Generation.objects.update(status=GenerationStatus.FINISHED)
    second = submit(people.alice, conversation=first.conversation, parent=first.answer)
    Generation.objects.update(status=GenerationStatus.FINISHED)
    gone, stays = store(people.alice), store(people.alice)
    attach(gone, Message.objects.get(id=second.message))
    for message in (first.message, second.message):
        attach(stays, Message.objects.get(id=message), 1)
    do_delete_message(people.alice.pk, second.message)
    with pytest.raises(Refusal):  # hidden at once
        access_attachment(people.alice.pk, gone.id)
    assert access_attachment(people.alice.pk, stays.id)
    assert erase_messages(messages_due_for_erasure()) == 0
    Message.objects.filter(deleted_at__isnull=False).update(
        deleted_at=timezone.now() - timedelta(seconds=UNDO_S + 1)
    )
    with django_capture_on_commit_callbacks(execute=True):
        assert erase_messages(messages_due_for_erasure()) > 0
    assert list(Attachment.objects.values_list("id", flat=True)) == [stays.id]
    assert files(data_dir) == [file_path(stays.id)]


def test_a_person_ends_with_all_their_documents(
    people: People, data_dir: Path, django_capture_on_commit_callbacks
) -> None:
    store(people.alice)
    attach(store(people.alice), Message.objects.get(id=submit(people.alice).message))
    theirs = store(people.bob)
    with django_capture_on_commit_callbacks(execute=True):
        assert erase_documents_part(Attachment.objects.filter(owner=people.alice)) == 2
    assert files(data_dir) == [file_path(theirs.id)]
    assert Attachment.objects.count() == 1


def test_only_what_was_never_sent_is_taken_back(
    people: People, data_dir: Path, django_capture_on_commit_callbacks
) -> None:
    draft, sent = store(people.alice), store(people.alice)
    attach(sent, Message.objects.get(id=submit(people.alice).message))
    with django_capture_on_commit_callbacks(execute=True):
        do_discard(people.bob.pk, draft.id)
        do_discard(people.alice.pk, sent.id)
        assert Attachment.objects.count() == 2
        do_discard(people.alice.pk, draft.id)
    assert files(data_dir) == [file_path(sent.id)]


def test_the_cleanup_finds_forgotten_documents_and_files_without_rows(
    people: People, data_dir: Path, django_capture_on_commit_callbacks
) -> None:
    forgotten, fresh = store(people.alice), store(people.alice)
    Attachment.objects.filter(id=forgotten.id).update(
        created_at=timezone.now() - timedelta(seconds=FORGOTTEN_S + 1)
    )
    stray = store(people.alice)
    Attachment.objects.filter(id=stray.id).delete()
    half = store(people.alice)
    file_path(half.id).rename(incoming_path(half.id))
    Attachment.objects.filter(id=half.id).delete()
    old = time.time() - STRAY_S - 1
    os.utime(file_path(stray.id), (old, old))
    with django_capture_on_commit_callbacks(execute=True):
        assert erase_abandoned() == 2
    # The half one is young: it may be an upload whose row is about to be.
    assert sorted(files(data_dir)) == sorted([file_path(fresh.id), incoming_path(half.id)])


def chain(home: Conversation, count: int, *, star: bool = False, backwards: bool = False) -> None:
    """Messages that follow each other, or all the first one; `backwards`: parents are the youngest."""
    rows: list[Message] = []
    for n in range(count):
        parent = rows[0 if star else -1] if rows else None
        time = home.created_at + timedelta(seconds=-n if backwards else n)
        rows.append(Message(conversation=home, parent=parent, role="user", content="x" * 50, created_at=time))
    Message.objects.bulk_create(rows)


@pytest.mark.parametrize("star", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_long_conversation_goes_slice_by_slice_and_is_hidden_with_the_first(
    people: People, monkeypatch: pytest.MonkeyPatch, star: bool, backwards: bool
) -> None:
    monkeypatch.setattr(erase, "ROWS_AT_ONCE", 20)
    monkeypatch.setattr(erase, "_budget", SliceBudget(2**40))
    home = Conversation.objects.create(owner=people.alice, title="long")
    chain(home, 90, star=star, backwards=backwards)
    kept = submit(people.alice)
    mine = Conversation.objects.filter(id=home.id)
    left = [90]
    while gone := erase_conversations_part(mine):
        assert gone <= 41, "no slice is larger than another"
        assert list(visible_conversations(people.alice.pk).values_list("id", flat=True)) == [
            kept.conversation
        ]
        with pytest.raises(Refusal):
            do_restore_conversations(people.alice.pk, [home.id])
        left.append(Message.objects.filter(conversation=home).count())
    assert left == sorted(left, reverse=True)
    assert not mine.exists()
    assert Message.objects.filter(conversation=kept.conversation).count() == 2


def test_slices_are_small_where_texts_are_large(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erase, "_budget", SliceBudget(erase.MESSAGE_WEIGHT * 20))
    home = Conversation.objects.create(owner=people.alice, title="large")
    large = [Message(conversation=home, role="user", content="x" * erase.MESSAGE_WEIGHT * 19) for _ in "abc"]
    Message.objects.bulk_create(large)
    assert erase_conversations_part(Conversation.objects.filter(id=home.id)) == 1
    assert Message.objects.count() == 2


def test_a_deleted_branch_goes_slice_by_slice(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erase, "ROWS_AT_ONCE", 20)
    home = Conversation.objects.create(owner=people.alice, title="long")
    chain(home, 50, backwards=True)
    Message.objects.update(deleted_at=timezone.now() - timedelta(seconds=UNDO_S + 1))
    calls = 0
    while erase_messages_part(messages_due_for_erasure()):
        calls += 1
    assert calls >= 3
    assert (Message.objects.count(), Conversation.objects.count()) == (0, 1)
