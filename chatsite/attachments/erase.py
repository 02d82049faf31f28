"""The end of documents: with their conversation or last message, their owner, or when a composer forgot them.

Rows go in the transaction, files right after its commit. What a crash between the two leaves behind is
found by the sweep, which knows files without rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from chatsite.attachments.models import Attached, Attachment
from chatsite.attachments.storage import delete_files, stored_before
from chatsite.conversations.models import Conversation, Message

AT_ONCE = 200
"""Conversations in one transaction: the writer is free again within milliseconds."""

FORGOTTEN_S = 24 * 3_600
"""How long a document waits in a composer for its question."""

STRAY_S = 3_600
"""A file of this age without a row belongs to no upload under way."""


def files_of_conversations(ids: Sequence[UUID]) -> list[UUID]:
    """The attachments, and so the files, of these conversations."""
    return list(Attachment.objects.filter(conversation__in=ids).values_list("id", flat=True))


def files_of_user(user_id: int) -> list[UUID]:
    """The attachments, and so the files, of this person, unsent ones too."""
    return list(Attachment.objects.filter(owner_id=user_id).values_list("id", flat=True))


def erase_conversations(rows: QuerySet[Conversation]) -> int:
    """Erase these conversations with all that is in them, and their files; returns how many rows went."""
    count, ids = 0, iter(list(rows.values_list("id", flat=True)))
    while some := list(islice(ids, AT_ONCE)):
        with transaction.atomic():
            _files_go_on_commit(files_of_conversations(some))
            count += Conversation.objects.filter(id__in=some).delete()[0]
    return count


def erase_messages(rows: QuerySet[Message]) -> int:
    """Erase deleted messages, and the documents that stand in no other; returns how many rows went.

    `rows` holds with each message all that follow it. One transaction for each conversation, whole: what
    follows a message goes with it in one statement then, however long the branch.
    """
    count = 0
    for home in list(rows.order_by().values_list("conversation", flat=True).distinct()):
        with transaction.atomic():
            ids = list(rows.filter(conversation=home).values_list("id", flat=True))
            elsewhere = Attached.objects.filter(attachment=OuterRef("pk")).exclude(message__in=ids)
            alone = Attachment.objects.filter(~Exists(elsewhere), uses__message__in=ids).distinct()
            files = list(alone.values_list("id", flat=True))
            _files_go_on_commit(files)
            count += Message.objects.filter(id__in=ids).delete()[0]
            count += Attachment.objects.filter(id__in=files).delete()[0]
    return count


def erase_files_of_user(user_id: int) -> int:
    """Inside the transaction that ends an account: its documents, rows now, files on commit."""
    files = files_of_user(user_id)
    _files_go_on_commit(files)
    Attachment.objects.filter(id__in=files).delete()
    return len(files)


def do_forget(user_id: int, id: UUID) -> None:
    """Take a document that was never sent out of its composer. Sent ones stay; a missing one is fine."""
    with transaction.atomic():
        if Attachment.objects.filter(owner_id=user_id, id=id, conversation=None).delete()[0]:
            _files_go_on_commit([id])


def sweep() -> int:
    """Erase documents that nobody sent for a day, and files that no row knows; returns how many."""
    before = timezone.now() - timedelta(seconds=FORGOTTEN_S)
    with transaction.atomic():
        forgotten = list(
            Attachment.objects.filter(conversation=None, created_at__lt=before).values_list("id", flat=True)
        )
        _files_go_on_commit(forgotten)
        Attachment.objects.filter(id__in=forgotten).delete()
    return len(forgotten) + _sweep_strays()


def _sweep_strays() -> int:
    count, files = 0, stored_before(STRAY_S)
    while some := list(islice(files, AT_ONCE)):
        known = set(Attachment.objects.filter(id__in=some).values_list("id", flat=True))
        strays = [id for id in some if id not in known]
        delete_files(strays)
        count += len(strays)
    return count


def _files_go_on_commit(ids: Sequence[UUID]) -> None:
    if ids:
        transaction.on_commit(lambda: delete_files(ids))
