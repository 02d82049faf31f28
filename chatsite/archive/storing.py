"""Records as rows: the way in. The same record stored again is the same rows.

New ids are computed from the owner and the ids of the source, so a second import finds what the first one
stored, adds what has been written since, and never meets another person's rows.
"""

from __future__ import annotations

from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import transaction
from django.utils import timezone

from chatsite.archive.models import Keep
from chatsite.archive.schema import ConversationRecord, FeedbackRecord, MessageRecord, PresetRecord
from chatsite.attachments.erase import erase_conversations, erase_messages
from chatsite.attachments.models import Attached, Attachment
from chatsite.conversations.models import Conversation, Feedback, Message, Preset
from chatsite.conversations.search import index_messages, index_title
from chatsite.generations.models import Generation

NAMESPACE = uuid5(NAMESPACE_URL, "urn:chatsite:import")

Source = Literal["chatsite", "chatgpt", "open-webui"]
Stored = Literal["new", "grown", "known"]
Files = dict[str, UUID]
"""Of each document in the source, the id here that its file belongs to."""


@transaction.atomic
def do_store(owner: int, record: ConversationRecord, source: Source) -> tuple[Stored, Files]:
    """Store a checked record; says whether it was new, had grown, or was all here, and its documents.

    Those of a known one too: an import that died between a conversation and its files is made again.
    """
    home, is_new = _home(owner, record, source)
    ids = _ids(home, record)
    held = set(home.messages.values_list("id", flat=True)) if not is_new else set()
    new = [message for message in record.messages if ids[message.id] not in held]
    if not is_new and not new:
        return "known", _documents_here(home, record)
    if is_new:
        home.save(force_insert=True)
        Keep.objects.create(conversation=home, days=record.keep_days, since=timezone.now())
        index_title(home)
    else:
        Conversation.objects.filter(id=home.id).update(updated_at=max(home.updated_at, record.updated_at))
    _write(home, new, ids)
    _write_documents(home, record, new, ids)
    return "new" if is_new else "grown", _documents_here(home, record)


def _home(owner: int, record: ConversationRecord, source: Source) -> tuple[Conversation, bool]:
    """The conversation that this record is here, and whether it is still to be stored."""
    id = uuid5(NAMESPACE, f"{owner}:{source}:{record.id}")
    candidates = [id, own] if source == "chatsite" and (own := _uuid(record.id)) else [id]
    # What lies in the bin is not brought back under its old id: it is about to be erased.
    erase_conversations(
        Conversation.objects.filter(owner_id=owner, id__in=candidates, deleted_at__isnull=False)
    )
    found = Conversation.objects.filter(owner_id=owner, id__in=candidates).first()
    if found is not None:
        erase_messages(found.messages.filter(deleted_at__isnull=False))
        return found, False
    return (
        Conversation(
            id=id,
            owner_id=owner,
            title=record.title,
            pinned=record.pinned,
            archived=record.archived,
            folder=record.folder,
            system=record.system,
            preset=_preset(owner, record.preset) if record.preset else None,
            created_at=record.created_at,
            updated_at=record.updated_at,
        ),
        True,
    )


def _ids(home: Conversation, record: ConversationRecord) -> dict[str, UUID]:
    """The id here of each message there: its own where this conversation holds it, else a computed one."""
    kept = set(home.messages.values_list("id", flat=True))
    own = {message.id: _uuid(message.id) for message in record.messages}
    return {
        source: id if id in kept and id is not None else uuid5(home.id, source) for source, id in own.items()
    }


def _write(home: Conversation, new: list[MessageRecord], ids: dict[str, UUID]) -> None:
    rows = [
        Message(
            id=ids[one.id],
            conversation=home,
            parent_id=ids[one.parent] if one.parent else None,
            role=one.role,
            content=one.content,
            reasoning=one.reasoning,
            created_at=one.created_at,
        )
        for one in new
    ]
    Message.objects.bulk_create(rows, batch_size=500)
    Generation.objects.bulk_create([_generation(home, ids[one.id], one) for one in new if one.generation])
    _write_feedback({ids[one.id]: one.feedback for one in new if one.feedback})
    index_messages(rows)


def _write_documents(
    home: Conversation, record: ConversationRecord, new: list[MessageRecord], ids: dict[str, UUID]
) -> None:
    """The documents of new messages; their files, where there are any, are the importer's (files_of)."""
    own = document_ids(home, record)
    held = set(home.attachments.values_list("id", flat=True))
    Attachment.objects.bulk_create(
        [
            Attachment(
                id=own[one.id],
                owner_id=home.owner_id,
                conversation=home,
                name=one.name,
                kind=one.kind,
                size=one.size,
                status=Attachment.Status.READY,
                pages=one.pages,
                chars=len(one.text),
                tokens=one.tokens,
                text=one.text,
                created_at=one.created_at,
            )
            for one in record.documents
            if own[one.id] not in held
        ]
    )
    Attached.objects.bulk_create(
        [
            Attached(
                message_id=ids[message.id],
                attachment_id=own[place.document],
                position=position,
                chars=place.given,
            )
            for message in new
            for position, place in enumerate(message.attachments)
        ]
    )


def document_ids(home: Conversation, record: ConversationRecord) -> dict[str, UUID]:
    """The id here of each document there."""
    kept = set(home.attachments.values_list("id", flat=True))
    own = {document.id: _uuid(document.id) for document in record.documents}
    return {
        source: id if id in kept and id is not None else uuid5(home.id, f"document:{source}")
        for source, id in own.items()
    }


def _documents_here(home: Conversation, record: ConversationRecord) -> Files:
    """Of those that this conversation holds: no file comes in without its row."""
    held = set(home.attachments.values_list("id", flat=True))
    return {source: id for source, id in document_ids(home, record).items() if id in held}


def _generation(home: Conversation, answer: UUID, one: MessageRecord) -> Generation:
    made = one.generation
    assert made is not None
    return Generation(
        client_id=uuid5(answer, "generation"),
        user_id=home.owner_id,
        conversation=home,
        answer_id=answer,
        imported=True,
        status=made.status,
        finish_reason=made.finish_reason,
        message=made.message,
        sampling=made.sampling,
        usage=made.usage,
        new_chars=made.new_chars,
        prompt_tokens=made.prompt_tokens,
        max_tokens=made.max_tokens,
        completion_tokens=made.completion_tokens,
        batch=made.batch,
        created_at=made.created_at,
        finished_at=made.finished_at,
    )


def _write_feedback(opinions: dict[UUID, FeedbackRecord]) -> None:
    Feedback.objects.bulk_create(
        [Feedback(message_id=id, value=one.value, comment=one.comment) for id, one in opinions.items()]
    )
    for id, one in opinions.items():  # the field writes "now" by itself at every insert
        Feedback.objects.filter(message_id=id).update(updated_at=one.updated_at)


def _preset(owner: int, record: PresetRecord) -> Preset:
    """The person's preset that is the same, else a new one; a name that is taken gets a number."""
    values = {
        "system": record.system,
        "temperature": record.temperature,
        "top_p": record.top_p,
        "max_tokens": record.max_tokens,
    }
    mine = Preset.objects.filter(owner_id=owner)
    same = mine.filter(name__startswith=record.name[:MAX_STEM], **values)
    if found := min(same, key=lambda one: (one.name != record.name, one.name), default=None):
        return found
    names = set(mine.values_list("name", flat=True))
    name, number = record.name, 2
    while name in names:
        name, number = f"{record.name[:MAX_STEM]} ({number})", number + 1
    return Preset.objects.create(owner_id=owner, name=name, **values)


MAX_STEM = 50
"""Leaves room for a number in a name of 60 characters."""


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
