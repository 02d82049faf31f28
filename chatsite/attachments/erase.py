"""The end of conversations and documents, slice by slice: with all that is in them, their files right after.

Rows go in a transaction, files right after its commit. What a crash between the two leaves behind is found by
the hourly cleanup, which knows files without rows. A conversation that is too large for one slice is hidden
with the first one, and the newest messages go first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Length
from django.utils import timezone

from chatsite.attachments.models import Attached, Attachment
from chatsite.attachments.storage import do_delete_files, files_stored_before
from chatsite.conversations.actions import conversations_due_for_erasure
from chatsite.conversations.messages import messages_due_for_erasure
from chatsite.conversations.models import Conversation, Message
from chatsite.conversations.scrub import note_erased
from chatsite.database import lock_in_order
from chatsite.slices import ROW_WEIGHT, SliceBudget

AT_ONCE = 50
"""Conversations in one slice: each is a few statements."""

ROWS_AT_ONCE = 2_000
"""Messages or documents in one slice, however short they are."""

MESSAGE_WEIGHT = 4 * ROW_WEIGHT
"""A message with its generation and its entries in the search index."""

ERASING = datetime(2000, 1, 1, tzinfo=UTC)
"""`deleted_at` of a conversation of which a part is gone: too long ago to be undone."""

FORGOTTEN_EVERY_S = 3_600.0
"""How often documents that were never sent, and files without a row, are looked for; it lists every file."""

FORGOTTEN_S = 24 * 3_600
"""How long a document waits in a composer for its question."""

STRAY_S = 3_600
"""A file of this age without a row belongs to no upload under way."""

_budget = SliceBudget()


def erase_deleted() -> int:
    """A slice of what can no longer be undone, and of temporary chats that nobody came back to."""
    return erase_conversations_part(conversations_due_for_erasure()) or erase_messages_part(
        messages_due_for_erasure()
    )


def erase_conversations(rows: QuerySet[Conversation]) -> int:
    """Erase these conversations with all that is in them, and their files; returns how many rows went."""
    return _to_the_end(lambda: erase_conversations_part(rows))


def erase_messages(rows: QuerySet[Message]) -> int:
    """Erase deleted messages, and the documents that stand in no other; returns how many rows went."""
    return _to_the_end(lambda: erase_messages_part(rows))


def _to_the_end(erase: Callable[[], int]) -> int:
    count = 0
    while gone := erase():
        count += gone
        _budget.pause()
    return count


class _Slice:
    """What one slice erases, collected until it is full. The first thing always fits."""

    def __init__(self) -> None:
        self.weight = 0
        self.messages: list[UUID] = []
        self.documents: list[UUID] = []

    def take(self, rows: QuerySet[Message] | QuerySet[Attachment], found: list[UUID], *texts: str) -> bool:
        """Collect these rows' ids; False where not all of them fit."""
        sizes = rows.values_list("id", *(Length(text) for text in texts))
        for id, *chars in sizes[: ROWS_AT_ONCE + 1].iterator(chunk_size=200):
            weight = (MESSAGE_WEIGHT if found is self.messages else ROW_WEIGHT) + sum(chars)
            if (self.weight and self.weight + weight > _budget.weight) or len(found) >= ROWS_AT_ONCE:
                return False
            self.weight += weight
            found.append(id)
        return True

    def take_messages(self, rows: QuerySet[Message]) -> bool:
        """The newest ones first: what follows a message goes before it."""
        return self.take(rows.order_by("-created_at"), self.messages, "content", "reasoning")

    def take_documents(self, rows: QuerySet[Attachment]) -> bool:
        return self.take(rows.order_by("id"), self.documents, "text")

    def erase(self) -> int:
        """Inside a transaction: the rows of messages and documents; returns how many went."""
        _files_go_on_commit(self.documents)
        documents = Attachment.objects.filter(id__in=self.documents).only("id")
        return Message.objects.filter(id__in=self.messages).only("id").delete()[0] + documents.delete()[0]

    def cut_loose(self) -> int:
        """Messages that follow one of these and stay for now lose their parent, or they would all go with it.

        Imported times may contradict the tree. Returns how many, where there may be more of them; else 0.
        """
        following = Message.objects.filter(parent__in=self.messages).exclude(id__in=self.messages)
        loose = list(following.order_by().values_list("id", flat=True)[:ROWS_AT_ONCE])
        Message.objects.filter(id__in=loose).update(parent=None)
        return len(loose) if len(loose) == ROWS_AT_ONCE else 0


def erase_conversations_part(rows: QuerySet[Conversation]) -> int:
    """One slice of erasing these conversations; returns how many rows went, 0 when nothing is left."""
    part = _Slice()
    whole: list[UUID] = []
    begun: list[UUID] = []
    for id in rows.order_by("pk").values_list("id", flat=True)[:AT_ONCE]:
        if part.take_messages(Message.objects.filter(conversation=id)) and part.take_documents(
            Attachment.objects.filter(conversation=id)
        ):
            part.weight += ROW_WEIGHT
            whole.append(id)
            continue
        begun.append(id)
        break
    if not whole and not begun:
        return 0
    with _budget.transaction(part.weight):
        chosen = Conversation.objects.filter(id__in=[*whole, *begun])
        lock_in_order(chosen)  # as whoever files them does
        if rows.filter(id__in=chosen.values("id")).count() < len(whole) + len(begun):
            return 1  # one is no longer due, having been written in: the others next time
        Conversation.objects.filter(id__in=begun).update(deleted_at=ERASING)
        if loose := part.cut_loose():
            return loose
        count = part.erase() + Conversation.objects.filter(id__in=whole).only("id").delete()[0]
    note_erased()
    return count


def erase_messages_part(rows: QuerySet[Message]) -> int:
    """One slice of erasing deleted messages, of one conversation; returns how many rows went.

    `rows` holds with each message all that follow it. A document goes with the last message that has it.
    """
    home = rows.order_by().values_list("conversation", flat=True).first()
    if home is None:
        return 0
    part = _Slice()
    part.take_messages(rows.filter(conversation=home))
    with _budget.transaction(part.weight):
        lock_in_order(Conversation.objects.filter(id=home))  # as whoever deletes or restores there does
        part.messages = list(rows.filter(id__in=part.messages).values_list("id", flat=True))
        elsewhere = Attached.objects.filter(attachment=OuterRef("pk")).exclude(message__in=part.messages)
        alone = Attachment.objects.filter(~Exists(elsewhere), uses__message__in=part.messages)
        part.documents = list(alone.distinct().values_list("id", flat=True))
        count = part.cut_loose() or part.erase()
    note_erased()
    return count


def erase_documents_part(rows: QuerySet[Attachment]) -> int:
    """One slice of erasing these documents, rows now, files on commit; returns how many, 0 at the end."""
    part = _Slice()
    part.take_documents(rows)
    if part.documents:
        with _budget.transaction(part.weight):
            part.erase()
        note_erased()
    return len(part.documents)


def do_discard(user_id: int, id: UUID) -> None:
    """Take a document that was never sent out of its composer. Sent ones stay; a missing one is fine."""
    with transaction.atomic():
        if Attachment.objects.filter(owner_id=user_id, id=id, conversation=None).delete()[0]:
            _files_go_on_commit([id])


def erase_abandoned() -> int:
    """Erase documents that nobody sent for a day, and files that no row knows; returns how many."""
    before = timezone.now() - timedelta(seconds=FORGOTTEN_S)
    forgotten = Attachment.objects.filter(conversation=None, created_at__lt=before)
    return erase_documents_part(forgotten) + _erase_strays()


def _erase_strays() -> int:
    count, files = 0, files_stored_before(STRAY_S)
    while some := list(islice(files, ROWS_AT_ONCE)):
        known = set(Attachment.objects.filter(id__in=some).values_list("id", flat=True))
        strays = [id for id in some if id not in known]
        do_delete_files(strays)
        count += len(strays)
    return count


def _files_go_on_commit(ids: Sequence[UUID]) -> None:
    if ids:
        transaction.on_commit(lambda: do_delete_files(ids))
