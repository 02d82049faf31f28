"""Read conversations from the database as export records, a few at a time, those with documents alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from operator import attrgetter
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from chatsite.attachments.models import Attached, Attachment
from chatsite.conversations.access import visible_conversations
from chatsite.conversations.models import Conversation, Feedback, Message, Preset
from chatsite.generations.models import ACTIVE, Generation, GenerationStatus
from chatsite.retention.models import ConversationRetention
from chatsite.transfer.schema import (
    AttachedRecord,
    ConversationRecord,
    DocumentRecord,
    FeedbackRecord,
    GenerationRecord,
    MessageRecord,
    PresetRecord,
)

AT_ONCE = 10
"""Conversations read together: a few queries for all of them, and their messages in memory.

One with documents is read alone: their texts come with it, up to a hundred times two million characters.
"""


def exportable(owner: int) -> QuerySet[Conversation]:
    """Select the conversations that "export all" covers: archived ones too, temporary ones not."""
    return visible_conversations(owner).filter(temporary=False)


def read_records(owner: int) -> Iterator[ConversationRecord]:
    """Yield a record of every exportable conversation, the oldest first."""
    alone = Exists(Attachment.objects.filter(conversation=OuterRef("pk")))
    rows = exportable(owner).annotate(alone=alone).order_by("created_at", "id").values_list("id", "alone")
    for group in _groups(list(rows)):
        yield from read_records_of(owner, group)


def _groups(rows: Iterable[tuple[UUID, bool]]) -> Iterator[list[UUID]]:
    """Split ids into groups that are read together, in this order; those marked alone by themselves."""
    group: list[UUID] = []
    for id, alone in rows:
        if group and (alone or len(group) == AT_ONCE):
            yield group
            group = []
        group.append(id)
        if alone:
            yield group
            group = []
    if group:
        yield group


def read_records_of(owner: int, ids: Sequence[UUID]) -> list[ConversationRecord]:
    """Return records of these conversations, in this order; one that is gone meanwhile is left out."""
    used = Attached.objects.filter(attachment=OuterRef("pk"), message__deleted_at=None)
    sent = Attachment.objects.filter(Exists(used)).prefetch_related("uses").order_by("created_at", "id")
    there = Message.objects.filter(deleted_at=None).select_related("feedback", "generation")
    homes = visible_conversations(owner).select_related("preset", "retention")
    found = homes.prefetch_related(Prefetch("messages", there), Prefetch("attachments", sent)).in_bulk(
        list(ids)
    )
    return [conversation_record(found[id]) for id in ids if id in found]


def conversation_record(home: Conversation) -> ConversationRecord:
    """Build the record of a conversation whose messages and documents have been fetched with it."""
    kept: ConversationRetention | None = getattr(home, "retention", None)
    documents = list(home.attachments.all())
    places: dict[UUID, list[Attached]] = {}
    for place in sorted((place for one in documents for place in one.uses.all()), key=attrgetter("position")):
        places.setdefault(place.message_id, []).append(place)
    return ConversationRecord(
        id=str(home.id),
        title=home.title,
        pinned=home.pinned,
        archived=home.archived,
        folder=home.folder,
        system=home.system,
        preset=_preset(home.preset) if home.preset else None,
        keep_days=kept.days if kept else None,
        created_at=home.created_at,
        updated_at=home.updated_at,
        messages=[_message(row, places.get(row.id, [])) for row in parents_first(home.messages.all())],
        documents=[_document(one) for one in documents],
    )


def parents_first(messages: Iterable[Message]) -> Iterator[Message]:
    """Yield parents before their children, otherwise by time: imported times may contradict the tree."""
    below: dict[UUID | None, list[Message]] = {}
    for row in messages:
        below.setdefault(row.parent_id, []).append(row)
    ready = [(row.created_at, row.id, row) for row in below.get(None, [])]
    heapify(ready)
    while ready:
        *_, row = heappop(ready)
        yield row
        for child in below.get(row.id, []):
            heappush(ready, (child.created_at, child.id, child))


def _message(row: Message, places: Sequence[Attached]) -> MessageRecord:
    opinion: Feedback | None = getattr(row, "feedback", None)
    job: Generation | None = getattr(row, "generation", None)
    return MessageRecord(
        id=str(row.id),
        parent=str(row.parent_id) if row.parent_id else None,
        role=row.role,  # type: ignore[arg-type]
        content=row.content,
        reasoning=row.reasoning,
        created_at=row.created_at,
        feedback=_feedback(opinion) if opinion else None,
        generation=_generation(job) if job else None,
        attachments=[AttachedRecord(document=str(one.attachment_id), given=one.chars) for one in places],
    )


def _document(row: Attachment) -> DocumentRecord:
    return DocumentRecord(
        id=str(row.id),
        name=row.name,
        kind=row.kind,  # type: ignore[arg-type]
        size=row.size,
        pages=row.pages,
        tokens=row.tokens,
        text=row.text,
        created_at=row.created_at,
    )


def _feedback(row: Feedback) -> FeedbackRecord:
    return FeedbackRecord(value=row.value, comment=row.comment, updated_at=row.updated_at)  # type: ignore[arg-type]


def _generation(job: Generation) -> GenerationRecord:
    return GenerationRecord(
        status=GenerationStatus.INTERRUPTED if job.status in ACTIVE else job.status,  # type: ignore[arg-type]
        finish_reason=job.finish_reason,
        message=job.message,
        sampling=job.sampling,
        usage=job.usage,
        new_chars=job.new_chars,
        prompt_tokens=job.prompt_tokens,
        max_tokens=job.max_tokens,
        completion_tokens=job.completion_tokens,
        batch=job.batch,
        created_at=job.created_at,
        finished_at=job.finished_at,
    )


def _preset(row: Preset) -> PresetRecord:
    return PresetRecord(
        name=row.name,
        system=row.system,
        temperature=row.temperature,
        top_p=row.top_p,
        max_tokens=row.max_tokens,
    )
