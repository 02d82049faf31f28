"""Store import records as conversations. The same record stored again gives the same rows.

New ids are computed from the owner and the ids of the source, so a second import finds what the first one
stored, adds what has been written since, and never meets another person's rows.
"""

from __future__ import annotations

from itertools import islice
from typing import Literal, NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db.models import F, Q
from django.utils import timezone

from chatsite.attachments.erase import erase_conversations, erase_messages
from chatsite.attachments.models import Attached, Attachment
from chatsite.conversations.models import HIDDEN, Conversation, Feedback, Message
from chatsite.conversations.search import PART_CHARS, message_parts, title_part
from chatsite.generations.models import Generation
from chatsite.retention.models import ConversationRetention
from chatsite.slices import ROW_WEIGHT
from chatsite.transfer.hidden_import import HiddenImport, PreparedRows
from chatsite.transfer.models import Arrival
from chatsite.transfer.schema import ConversationRecord, FeedbackRecord, MessageRecord

NAMESPACE = uuid5(NAMESPACE_URL, "urn:chatsite:import")

ImportSource = Literal["chatsite", "chatgpt", "claude", "librechat", "open-webui"]
ImportResult = Literal["new", "grown", "known"]
Files = dict[str, UUID]
"""Of each document in the source, the id here that its file belongs to."""


class StoredRecord(NamedTuple):
    """What became of a record, its documents, and how many of its messages are new here."""

    result: ImportResult
    documents: Files
    new_messages: int


def do_store_record(owner: int, record: ConversationRecord, source: ImportSource) -> StoredRecord:
    """Import a single checked record: `add_record` and the end of it."""
    with HiddenImport(owner) as hidden:
        stored = add_record(hidden, record, source)
        hidden.reveal()
    return stored


def add_record(hidden: HiddenImport, record: ConversationRecord, source: ImportSource) -> StoredRecord:
    """Add a checked record to an import; says whether it is new, has grown or is known, and its documents.

    Those of a known one too: an import that died between a conversation and its files is made again.
    """
    home = _home(hidden, record, source)
    is_new = home is None
    target = _new_home(hidden, record, source) if home is None else _target(hidden, home, record)
    base = target if home is None else home
    ids, kept = _ids(base, target, record)
    new = [message for message in record.messages if ids[message.id] not in kept]
    documents = document_ids(base, target, record)
    if not is_new and not new:
        return StoredRecord("known", _held_documents(documents, base, target), 0)
    size = sum(_bytes_of(message) for message in new) + (len(record.system.encode()) if is_new else 0)
    hidden.take_room(size)
    if target.id in hidden.begun:
        Conversation.objects.filter(id=target.id).update(imported_bytes=F("imported_bytes") + size)
    else:
        target.imported_bytes = size
        _begin(hidden, target, base, record)
    _add_documents(hidden, target, record, documents)
    for message in new:
        _add_message(hidden, target, message, ids, documents)
    return StoredRecord("new" if is_new else "grown", documents, len(new))


def documents_here(owner: int, record: ConversationRecord, source: ImportSource) -> set[str]:
    """Of the record's documents those that are stored already, by their ids in the source."""
    ids = _possible_ids(owner, record, source)
    homes = Conversation.objects.filter(Q(deleted_at=None) | Q(deleted_at=HIDDEN), owner_id=owner, id__in=ids)
    home = homes.first() if record.documents else None
    if home is None:
        return set()
    return set(_held_documents(document_ids(home, home, record), home))


def _possible_ids(owner: int, record: ConversationRecord, source: ImportSource) -> list[UUID]:
    """Under which the conversation may be here."""
    own = _uuid(record.id) if source == "chatsite" else None
    return [_computed_id(owner, record, source), *([own] if own else [])]


def _home(hidden: HiddenImport, record: ConversationRecord, source: ImportSource) -> Conversation | None:
    """The conversation that this record is here; None where it is still to be stored."""
    candidates = _possible_ids(hidden.owner, record, source)
    if not hidden.begun.isdisjoint(candidates):
        hidden.flush()  # the same conversation stands twice in the file
    mine = Conversation.objects.filter(owner_id=hidden.owner, id__in=candidates)
    # What lies in the bin is not brought back under its old id: it is about to be erased.
    erase_conversations(mine.filter(deleted_at__isnull=False).exclude(deleted_at=HIDDEN))
    found = mine.first()
    if found is not None:
        erase_messages(found.messages.filter(deleted_at__isnull=False))
    return found


def _computed_id(owner: int, record: ConversationRecord, source: ImportSource) -> UUID:
    return uuid5(NAMESPACE, f"{owner}:{source}:{record.id}")


def _new_home(hidden: HiddenImport, record: ConversationRecord, source: ImportSource) -> Conversation:
    return Conversation(
        id=_computed_id(hidden.owner, record, source),
        owner_id=hidden.owner,
        title=record.title,
        pinned=record.pinned,
        archived=record.archived,
        folder=record.folder,
        system=record.system,
        created_at=record.created_at,
        updated_at=record.updated_at,
        deleted_at=HIDDEN,
    )


def _target(hidden: HiddenImport, home: Conversation, record: ConversationRecord) -> Conversation:
    """Where the new messages of a conversation are written: beside it, where it is shown already."""
    if home.deleted_at == HIDDEN:
        return home
    id = uuid5(home.id, f"continued:{hidden.run.id}")
    if id in hidden.begun:
        hidden.flush()
    return Conversation(
        id=id, owner_id=hidden.owner, title=home.title, updated_at=record.updated_at, deleted_at=HIDDEN
    )


def _ids(
    home: Conversation, target: Conversation, record: ConversationRecord
) -> tuple[dict[str, UUID], set[UUID]]:
    """The id here of each message there: its own where it is here, else a computed one; and what is here."""
    kept = set(Message.objects.filter(conversation__in=[home.id, target.id]).values_list("id", flat=True))
    own = {message.id: _uuid(message.id) for message in record.messages}
    ids = {
        source: id if id in kept and id is not None else uuid5(home.id, source) for source, id in own.items()
    }
    return ids, kept


def document_ids(home: Conversation, target: Conversation, record: ConversationRecord) -> dict[str, UUID]:
    """The id here of each document there."""
    kept = _documents_of(home, target)
    own = {document.id: _uuid(document.id) for document in record.documents}
    return {
        source: id if id in kept and id is not None else uuid5(home.id, f"document:{source}")
        for source, id in own.items()
    }


def _documents_of(*homes: Conversation) -> set[UUID]:
    held = Attachment.objects.filter(conversation__in=[home.id for home in homes])
    return set(held.values_list("id", flat=True))


def _held_documents(documents: Files, *homes: Conversation) -> Files:
    """Of those that these conversations hold: no file comes in without its row."""
    held = _documents_of(*homes)
    return {source: id for source, id in documents.items() if id in held}


def _begin(
    hidden: HiddenImport, target: Conversation, home: Conversation, record: ConversationRecord
) -> None:
    """The hidden conversation itself."""
    hidden.begun.add(target.id)
    arrival = Arrival(run=hidden.run, conversation=target)
    rows = PreparedRows(conversations=[target], arrivals=[arrival])
    if home is target:
        rows.retentions.append(
            ConversationRetention(conversation=target, days=record.keep_days, since=timezone.now())
        )
        rows.parts.append(title_part(target))
        if record.preset:
            hidden.add_preset(record.preset, target.id)
    else:
        arrival.continues, arrival.home = True, home
    hidden.add(rows, ROW_WEIGHT * 4 + len(target.system))


def _add_documents(
    hidden: HiddenImport, target: Conversation, record: ConversationRecord, ids: dict[str, UUID]
) -> None:
    """The rows of documents; their files, where there are any, are the importer's."""
    held = set(Attachment.objects.filter(id__in=ids.values()).values_list("id", flat=True))
    for one in record.documents:
        if ids[one.id] in held:
            continue
        hidden.take_room(one.size)
        row = Attachment(
            id=ids[one.id],
            owner_id=target.owner_id,
            conversation=target,
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
        hidden.add(PreparedRows(documents=[row]), ROW_WEIGHT + len(one.text))


def _add_message(
    hidden: HiddenImport,
    target: Conversation,
    one: MessageRecord,
    ids: dict[str, UUID],
    documents: dict[str, UUID],
) -> None:
    """The message with what belongs to it. The index of a long one takes slices of its own."""
    row = Message(
        id=ids[one.id],
        conversation=target,
        parent_id=ids[one.parent] if one.parent else None,
        role=one.role,
        content=one.content,
        reasoning=one.reasoning,
        created_at=one.created_at,
    )
    rows = PreparedRows(messages=[row])
    if one.generation:
        rows.generations.append(_generation(target, row.id, one))
    if one.feedback:
        rows.feedback.append(_feedback(row.id, one.feedback))
    rows.attached += [
        Attached(
            message_id=row.id, attachment_id=documents[place.document], position=position, chars=place.given
        )
        for position, place in enumerate(one.attachments)
    ]
    parts = message_parts(row)
    rows.parts += islice(parts, 1)
    hidden.add(rows, ROW_WEIGHT * 4 + 2 * len(one.content) + len(one.reasoning))
    for part in parts:
        hidden.add(PreparedRows(parts=[part]), PART_CHARS)


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


def _feedback(message: UUID, one: FeedbackRecord) -> Feedback:
    return Feedback(message_id=message, value=one.value, comment=one.comment, updated_at=one.updated_at)


def _bytes_of(message: MessageRecord) -> int:
    return len(message.content.encode()) + len(message.reasoning.encode())


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
