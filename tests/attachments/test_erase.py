"""Documents end with their conversation, their owner or their composer; no row and no file is left."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from chatsite.attachments.access import access_attachment, access_attachments
from chatsite.attachments.erase import (
    FORGOTTEN_S,
    STRAY_S,
    do_forget,
    erase_conversations,
    erase_files_of_user,
    erase_messages,
    sweep,
)
from chatsite.attachments.models import Attached, Attachment
from chatsite.attachments.storage import incoming_path, path_of
from chatsite.conversations.actions import UNDO_S, do_delete, due_for_erasure
from chatsite.conversations.messages import do_delete_message, messages_due_for_erasure
from chatsite.conversations.models import Conversation, Message
from chatsite.errors import Refusal
from chatsite.generations.models import Generation, Status
from tests.attachments.documents import attach, store
from tests.people import People, submit


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
    do_delete(people.alice.pk, [done.conversation])
    with pytest.raises(Refusal):  # hidden at once
        access_attachment(people.alice.pk, gone.id)
    Conversation.objects.filter(id=done.conversation).update(
        deleted_at=timezone.now() - timedelta(seconds=UNDO_S + 1)
    )
    with django_capture_on_commit_callbacks(execute=True):
        assert erase_conversations(due_for_erasure()) > 0
    assert list(Attachment.objects.values_list("id", flat=True)) == [stays.id]
    assert Attached.objects.count() == 1
    assert files(data_dir) == [path_of(stays.id)]


def test_a_deleted_message_takes_the_documents_along_that_stand_in_no_other(
    people: People, data_dir: Path, django_capture_on_commit_callbacks
) -> None:
    first = submit(people.alice)
    Generation.objects.update(status=Status.FINISHED)
    second = submit(people.alice, conversation=first.conversation, parent=first.answer)
    Generation.objects.update(status=Status.FINISHED)
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
    assert files(data_dir) == [path_of(stays.id)]


def test_a_person_ends_with_all_their_documents(
    people: People, data_dir: Path, django_capture_on_commit_callbacks
) -> None:
    store(people.alice)
    attach(store(people.alice), Message.objects.get(id=submit(people.alice).message))
    theirs = store(people.bob)
    with django_capture_on_commit_callbacks(execute=True):
        assert erase_files_of_user(people.alice.pk) == 2
    assert files(data_dir) == [path_of(theirs.id)]
    assert Attachment.objects.count() == 1


def test_only_what_was_never_sent_is_taken_back(
    people: People, data_dir: Path, django_capture_on_commit_callbacks
) -> None:
    draft, sent = store(people.alice), store(people.alice)
    attach(sent, Message.objects.get(id=submit(people.alice).message))
    with django_capture_on_commit_callbacks(execute=True):
        do_forget(people.bob.pk, draft.id)
        do_forget(people.alice.pk, sent.id)
        assert Attachment.objects.count() == 2
        do_forget(people.alice.pk, draft.id)
    assert files(data_dir) == [path_of(sent.id)]


def test_the_sweep_finds_forgotten_documents_and_files_without_rows(
    people: People, data_dir: Path, django_capture_on_commit_callbacks
) -> None:
    forgotten, fresh = store(people.alice), store(people.alice)
    Attachment.objects.filter(id=forgotten.id).update(
        created_at=timezone.now() - timedelta(seconds=FORGOTTEN_S + 1)
    )
    stray = store(people.alice)
    Attachment.objects.filter(id=stray.id).delete()
    half = store(people.alice)
    path_of(half.id).rename(incoming_path(half.id))
    Attachment.objects.filter(id=half.id).delete()
    old = time.time() - STRAY_S - 1
    os.utime(path_of(stray.id), (old, old))
    with django_capture_on_commit_callbacks(execute=True):
        assert sweep() == 2
    # The half one is young: it may be an upload whose row is about to be.
    assert sorted(files(data_dir)) == sorted([path_of(fresh.id), incoming_path(half.id)])
