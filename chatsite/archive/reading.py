"""Rows as records: the way out. A few conversations are held at a time, of those with documents one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from heapq import heapify, heappop, heappush
from uuid import UUID

import msgspec
from django.db.models import Exists, OuterRef, QuerySet

from chatsite.archive.models import Keep
from chatsite.archive.schema import (
    AttachedRecord,
    ConversationRecord,
    DocumentRecord,
    FeedbackRecord,
    GenerationRecord,
    MessageRecord,
    PresetRecord,
)
from chatsite.attachments.models import Attached, Attachment
from chatsite.conversations.access import visible_conversations
from chatsite.conversations.models import Conversation, Feedback, Message, Preset
from chatsite.generations.models import ACTIVE, Generation, Status

AT_ONCE = 10
"""Conversations read together: a few queries for all of them, and their messages in memory.

One with documents is read alone: their texts come with it, up to a hundred times two million characters.
"""


def exportable(owner: int) -> QuerySet[Conversation]:
    """What "all conversations" means: this person's own, archived ones too, temporary ones not."""
    return visible_conversations(owner).filter(temporary=False)


def read_all(owner: int) -> Iterator[ConversationRecord]:
    """Every exportable conversation, in the order of their beginning."""
    ids = list(exportable(owner).order_by("created_at", "id").values_list("id", flat=True))
    sent = Attachment.objects.filter(conversation__in=exportable(owner))
    for group in _groups(ids, set(sent.values_list("conversation_id", flat=True).distinct())):
        yield from read(owner, group)


def _groups(ids: Sequence[UUID], alone: Collection[UUID]) -> Iterator[list[UUID]]:
    """What is read together, in this order."""
    group: list[UUID] = []
    for id in ids:
        if group and (id in alone or len(group) == AT_ONCE):
            yield group
            group = []
        group.append(id)
        if id in alone:
            yield group
            group = []
    if group:
        yield group


def read(owner: int, ids: Sequence[UUID]) -> list[ConversationRecord]:
    """These conversations, in this order; one that is gone meanwhile is left out."""
    homes = visible_conversations(owner).select_related("preset").in_bulk(list(ids))
    messages = Message.objects.filter(conversation__in=homes, deleted_at=None).select_related("feedback")
    jobs = {job.answer_id: job for job in Generation.objects.filter(conversation__in=homes)}
    places: dict[UUID, list[Attached]] = {}
    for place in Attached.objects.filter(message__conversation__in=homes).order_by("position"):
        places.setdefault(place.message_id, []).append(place)
    documents: dict[UUID, list[Attachment]] = {}
    used = Attached.objects.filter(attachment=OuterRef("pk"), message__deleted_at=None)
    sent = Attachment.objects.filter(Exists(used), conversation__in=homes)
    for document in sent.order_by("created_at", "id"):
        assert document.conversation_id is not None
        documents.setdefault(document.conversation_id, []).append(document)
    days = dict(Keep.objects.filter(conversation__in=homes).values_list("conversation_id", "days"))
    turns: dict[UUID, list[Message]] = {}
    for message in messages:
        turns.setdefault(message.conversation_id, []).append(message)
    return [
        msgspec.structs.replace(
            record_of(homes[id], turns.get(id, []), jobs, places, days.get(id)),
            documents=[_document(one) for one in documents.get(id, [])],
        )
        for id in ids
        if id in homes
    ]


def record_of(
    home: Conversation,
    messages: Sequence[Message],
    jobs: dict[UUID, Generation],
    places: dict[UUID, list[Attached]],
    keep_days: int | None,
) -> ConversationRecord:
    """The record of these rows, but for its documents."""
    return ConversationRecord(
        id=str(home.id),
        title=home.title,
        pinned=home.pinned,
        archived=home.archived,
        folder=home.folder,
        system=home.system,
        preset=_preset(home.preset) if home.preset else None,
        keep_days=keep_days,
        created_at=home.created_at,
        updated_at=home.updated_at,
        messages=[_message(row, jobs.get(row.id), places.get(row.id, [])) for row in in_order(messages)],
    )


def in_order(messages: Sequence[Message]) -> Iterator[Message]:
    """Parents before their children, otherwise by time: imported times may contradict the tree."""
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


def _message(row: Message, job: Generation | None, places: Sequence[Attached]) -> MessageRecord:
    opinion: Feedback | None = getattr(row, "feedback", None)
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
        status=Status.INTERRUPTED if job.status in ACTIVE else job.status,  # type: ignore[arg-type]
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
