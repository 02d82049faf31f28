"""An import's way into the tables: written hidden, slice by slice, then revealed by one short transaction.

Whatever ends it before that leaves nothing visible; what it wrote is erased. What comes after that, messages
that move into the conversations they continue, is carried on by the cleanup if its process dies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Self
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, Model, OuterRef, QuerySet
from django.utils import timezone

from chatsite.attachments.erase import ROWS_AT_ONCE, erase_conversations_part
from chatsite.attachments.models import Attached, Attachment
from chatsite.attachments.stored import storage_limit, stored_bytes
from chatsite.conversations.library import MAX_KEPT
from chatsite.conversations.models import Conversation, Feedback, Message, SearchEntry
from chatsite.conversations.search import Part, write_parts
from chatsite.generations.models import Generation
from chatsite.quotas.plans import limits_of
from chatsite.retention.models import ConversationRetention
from chatsite.slices import SliceBudget, SliceWriter
from chatsite.transfer.account_data import AccountRecord, do_find_preset, do_store_account
from chatsite.transfer.models import Arrival, ImportRun
from chatsite.transfer.schema import PresetRecord
from chatsite.transfer.validation import ImportRefusedError

DEAD_AFTER = timedelta(minutes=5)
"""An import writes every few seconds; reading a file of the largest size takes one minute."""

MOVED_AT_ONCE = 300
"""Messages in one slice that move into the conversation that they continue."""

Status = ImportRun.Status


@dataclass
class PreparedRows:
    """Rows that are written in one transaction, made without the database; `parts` of the search index."""

    conversations: list[Conversation] = field(default_factory=list)
    retentions: list[ConversationRetention] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    documents: list[Attachment] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    generations: list[Generation] = field(default_factory=list)
    feedback: list[Feedback] = field(default_factory=list)
    attached: list[Attached] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)


def _write(rows: Sequence[PreparedRows]) -> None:
    """Each kind of row after those that it points to."""

    def write(model: type[Model], found: list[Model]) -> None:
        model._default_manager.bulk_create(found)

    write(Conversation, [row for one in rows for row in one.conversations])
    write(ConversationRetention, [row for one in rows for row in one.retentions])
    write(Arrival, [row for one in rows for row in one.arrivals])
    write(Attachment, [row for one in rows for row in one.documents])
    write(Message, [row for one in rows for row in one.messages])
    write(Generation, [row for one in rows for row in one.generations])
    opinions = [row for one in rows for row in one.feedback]
    times = {row.message_id: row.updated_at for row in opinions}
    write(Feedback, list[Model](opinions))
    for id, time in times.items():  # the field writes "now" by itself at every insert
        Feedback.objects.filter(message_id=id).update(updated_at=time)
    write(Attached, [row for one in rows for row in one.attached])
    write_parts([part for one in rows for part in one.parts])


class HiddenImport:
    """One import of one person, for `with`: without `reveal` nothing of it is left at the end.

    The newest import of a person is the one that counts: an earlier one that still runs is refused its next
    slice. `tell` is called before each slice and may raise to end it all. `begun`: the hidden conversations;
    `account`: what else is stored when they are revealed.
    """

    def __init__(self, owner: int, tell: Callable[[], None] = lambda: None) -> None:
        self.owner = owner
        self.begun: set[UUID] = set()
        self.account: AccountRecord | None = None
        self._tell = tell
        self._presets: dict[PresetRecord, list[UUID]] = {}
        self._room = storage_limit(limits_of(owner).max_stored_mb) - stored_bytes(owner)
        self._writer: SliceWriter[PreparedRows] = SliceWriter(self._write_slice, SliceBudget())
        ImportRun.objects.filter(owner_id=owner, status=Status.WRITING).update(status=Status.ABANDONED)
        _finish(ImportRun.objects.filter(owner_id=owner))
        self.run = ImportRun.objects.create(owner_id=owner)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        mine = ImportRun.objects.filter(id=self.run.id)
        mine.filter(status=Status.WRITING).update(status=Status.ABANDONED)
        _finish(mine)

    def add(self, rows: PreparedRows, weight: int) -> None:
        """Rows to be written with the next slice."""
        self._writer.add(rows, weight)

    def take_room(self, size: int) -> None:
        """So many bytes of text or documents come in. Raises ImportRefusedError where the storage is full."""
        self._room -= size
        if self._room < 0:
            raise ImportRefusedError("", "The import takes more room than is left for you here.")

    def flush(self) -> None:
        """Write what was added. Raises ImportRefusedError where another import has begun."""
        self._writer.flush()

    def add_preset(self, preset: PresetRecord, conversation: UUID) -> None:
        """The preset that a new conversation began with. More than a library holds are left out."""
        if preset in self._presets or len(self._presets) < MAX_KEPT:
            self._presets.setdefault(preset, []).append(conversation)

    def reveal(self) -> None:
        """Show all of it at once. Raises ImportRefusedError where another import has begun."""
        self.flush()
        with transaction.atomic():
            self._check(Status.REVEALED)
            Conversation.objects.filter(arrival__run=self.run, arrival__continues=False).update(
                deleted_at=None
            )
            if self.account:
                do_store_account(self.owner, self.account)
            for preset, ids in self._presets.items():
                begun = Conversation.objects.filter(id__in=ids)
                begun.update(preset=do_find_preset(self.owner, preset))

    def _write_slice(self, rows: Sequence[PreparedRows]) -> None:
        self._tell()
        self._check(Status.WRITING)
        _write(rows)

    def _check(self, status: str) -> None:
        """It is still the one that counts, and has this status now. Raises ImportRefusedError."""
        mine = ImportRun.objects.filter(id=self.run.id, status=Status.WRITING)
        if not mine.update(status=status, alive_at=timezone.now()):
            raise ImportRefusedError("", "Another import has begun, and takes the place of this one.")


def continue_imports() -> int:
    """A slice of what imports left behind whose process is gone; returns how many rows changed."""
    dead = ImportRun.objects.filter(alive_at__lt=timezone.now() - DEAD_AFTER)
    dead.filter(status=Status.WRITING).update(status=Status.ABANDONED)
    return _finish_part(dead)


def _finish(runs: QuerySet[ImportRun]) -> None:
    budget = SliceBudget()
    while _finish_part(runs):
        budget.pause()


def _finish_part(runs: QuerySet[ImportRun]) -> int:
    """A slice of erasing what was abandoned, or of moving what was revealed; 0 when nothing is left."""
    run = runs.exclude(status=Status.WRITING).first()
    if run is None:
        return 0
    arrivals = Arrival.objects.filter(run=run)
    if run.status == Status.REVEALED:
        if moved := _move_part(arrivals.filter(home__isnull=False)):
            return moved
        arrivals = arrivals.filter(continues=True)  # what they continued is gone, or they are empty now
    hidden = Conversation.objects.filter(Exists(arrivals.filter(conversation=OuterRef("pk"))))
    if gone := erase_conversations_part(hidden):
        return gone
    some = Arrival.objects.filter(run=run).values_list("pk", flat=True)[:ROWS_AT_ONCE]
    return Arrival.objects.filter(pk__in=list(some)).delete()[0] or run.delete()[0]


def _move_part(arrivals: QuerySet[Arrival]) -> int:
    """Move some messages, parents first, into the conversation that they continue; 0 at the end."""
    arrival = arrivals.order_by("pk").first()
    if arrival is None or arrival.home_id is None:
        return 0
    hidden, home = arrival.conversation_id, arrival.home_id
    with transaction.atomic():
        some = Message.objects.filter(conversation=hidden).order_by("created_at")[:MOVED_AT_ONCE]
        ids = list(some.values_list("id", flat=True))
        SearchEntry.objects.filter(message__in=ids).update(conversation=home)
        Generation.objects.filter(answer__in=ids).update(conversation=home)
        Attachment.objects.filter(uses__message__in=ids).update(conversation=home)
        Message.objects.filter(id__in=ids).update(conversation=home)
        if len(ids) < MOVED_AT_ONCE and Arrival.objects.filter(pk=hidden, home=home).update(home=None):
            moved = Conversation.objects.get(id=hidden)
            kept = Conversation.objects.filter(id=home)
            kept.update(imported_bytes=F("imported_bytes") + moved.imported_bytes)
            kept.filter(updated_at__lt=moved.updated_at).update(updated_at=moved.updated_at)
    return len(ids) + 1
