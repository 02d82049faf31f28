"""Search over a person's titles and messages. Entries are written with the messages, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chatsite.conversations.grams import Query, excerpt, fold, parse, terms_of
from chatsite.conversations.models import Conversation, Message, SearchEntry
from chatsite.conversations.search_index import find_entries, write_terms

PART_CHARS = 32_768
"""A message is indexed in parts: PostgreSQL holds at most 1 MiB of terms in one vector."""

OVERLAP_CHARS = 256
"""Parts overlap by more than a query's length, so that no hit is cut in two."""

PAGE = 20
"""Hits shown at once."""

CANDIDATES, MAX_CANDIDATES = 40, 400
"""Entries looked at in one go and in all: words of one letter let many through that do not match."""


@dataclass(frozen=True)
class Hit:
    """A place where the query stands. `message` None: in the title alone.

    `title` and `context` are plain and hit parts in turn, beginning with plain.
    """

    conversation: UUID
    message: UUID | None
    role: str
    at: datetime
    title: list[str]
    context: list[str]


def index_title(conversation: Conversation) -> None:
    """Make the title found, instead of the one before. Call inside the transaction that writes it."""
    SearchEntry.objects.filter(conversation=conversation, message=None).delete()
    _write([_title_part(conversation)])


def index_messages(messages: Iterable[Message]) -> None:
    """Make final messages found, each once. Call inside the transaction that writes them."""
    kept = (message for message in messages if not message.conversation.temporary)
    _write([part for message in kept for part in _message_parts(message)])


def index_beginning(conversation: Conversation, messages: Iterable[Message]) -> None:
    """Make a conversation found that begins in this transaction: its title and its first messages."""
    if conversation.temporary:
        return
    _write([_title_part(conversation), *(part for message in messages for part in _message_parts(message))])


def search(user_id: int, text: str, before: int | None = None) -> tuple[list[Hit], int | None]:
    """What this person's conversations say about it, newest first; and where the next page begins."""
    query = parse(text)
    if query is None:
        return [], None
    hits: dict[tuple[UUID, UUID | None], Hit] = {}
    last = None
    for entry in _candidates(user_id, query, before):
        if len(hits) == PAGE:
            return _without_doubles(hits), last
        last = entry.id
        if hit := _hit(entry, query):
            hits.setdefault((hit.conversation, hit.message), hit)
    return _without_doubles(hits), None


def rebuild(batch: int = 500) -> int:
    """Index everything anew (after an import by other means); returns the number of messages."""
    SearchEntry.objects.all().delete()
    for conversation in Conversation.objects.filter(temporary=False).order_by("created_at").iterator(batch):
        index_title(conversation)
    count = 0
    rows = Message.objects.select_related("conversation").exclude(
        generation__status__in=("queued", "running")
    )
    for message in rows.order_by("created_at").iterator(batch):
        index_messages([message])
        count += 1
    return count


Part = tuple[SearchEntry, set[str]]


def _title_part(conversation: Conversation) -> Part:
    return SearchEntry(conversation=conversation), terms_of(conversation.title)


def _message_parts(message: Message) -> Iterator[Part]:
    for start in range(0, max(1, len(message.content) - OVERLAP_CHARS), PART_CHARS - OVERLAP_CHARS):
        terms = terms_of(message.content[start : start + PART_CHARS])
        yield SearchEntry(conversation=message.conversation, message=message), terms


def _write(parts: Sequence[Part]) -> None:
    """Two statements, however many parts."""
    found = [part for part in parts if part[1]]
    entries = SearchEntry.objects.bulk_create([entry for entry, _ in found])
    write_terms(
        [
            (entry.pk, entry.conversation.owner_id, terms)
            for entry, (_, terms) in zip(entries, found, strict=True)
        ]
    )


def _candidates(user_id: int, query: Query, before: int | None) -> Iterator[SearchEntry]:
    seen = 0
    while seen < MAX_CANDIDATES:
        ids = find_entries(user_id, query, before, CANDIDATES)
        rows = SearchEntry.objects.select_related("conversation", "message").in_bulk(ids)
        yield from (rows[id] for id in ids if id in rows)
        if len(ids) < CANDIDATES:
            return
        before, seen = ids[-1], seen + len(ids)


def _hit(entry: SearchEntry, query: Query) -> Hit | None:
    """The entry as a hit, where the words really stand in it and it may be seen."""
    home, message = entry.conversation, entry.message
    if home.deleted_at or (message and message.deleted_at):
        return None
    if not query.matches(fold(message.content if message else home.title)):
        return None
    return Hit(
        conversation=home.id,
        message=message.id if message else None,
        role=message.role if message else "",
        at=message.created_at if message else home.updated_at,
        title=excerpt(home.title, query),
        context=excerpt(message.content, query, markdown=True) if message else [],
    )


def _without_doubles(hits: dict[tuple[UUID, UUID | None], Hit]) -> list[Hit]:
    """A title that is hit is shown with its messages' hits, if it has any here."""
    told = {conversation for conversation, message in hits if message is not None}
    return [hit for (home, message), hit in hits.items() if message is not None or home not in told]
