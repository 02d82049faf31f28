"""Search over a person's titles and messages. Entries are written with the messages, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Substr

from chatsite.conversations.markup import LOOK_AHEAD, LOOK_BACK
from chatsite.conversations.models import Conversation, Message, SearchEntry
from chatsite.conversations.search_index import find_entries, statement_limit, write_terms
from chatsite.conversations.search_terms import (
    EXCERPT_CHARS,
    SearchQuery,
    excerpt,
    fold_text,
    parse_query,
    terms_in,
)
from chatsite.row_inserts import insert_rows_with_keys
from chatsite.slices import ROW_WEIGHT, SliceBudget, SliceWriter

PART_CHARS = 32_768
"""A message is indexed in parts: PostgreSQL holds at most 1 MiB of terms in one vector."""

OVERLAP_CHARS = 256
"""Parts overlap by more than a query's length, so that no hit is cut in two."""

PAGE = 20
"""Hits shown at once."""

LEAD_CHARS, TRAIL_CHARS = LOOK_BACK + 64, EXCERPT_CHARS + LOOK_AHEAD
"""Read before and behind a part: what the excerpt of a hit at its edge shows, and the markup around it."""

CANDIDATES, MAX_CANDIDATES = 40, 400
"""Entries looked at in one go and in all: words of one letter let many through that do not match."""

SLICES = 8
"""Parts read by one statement: a quarter of a million characters."""

SEARCH_S = 1.0
"""Seconds after which a search ends with what it has found; the next page goes on from there."""


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
    write_parts([title_part(conversation)])


def index_messages(messages: Iterable[Message]) -> None:
    """Make final messages found, each once. Call inside the transaction that writes them."""
    kept = (message for message in messages if not message.conversation.temporary)
    write_parts([part for message in kept for part in message_parts(message)])


def index_new_conversation(conversation: Conversation, messages: Iterable[Message]) -> None:
    """Make a conversation found that begins in this transaction: its title and its first messages."""
    if conversation.temporary:
        return
    write_parts(
        [title_part(conversation), *(part for message in messages for part in message_parts(message))]
    )


def search(user_id: int, text: str, before: int | None = None) -> tuple[list[Hit], int | None]:
    """What this person's conversations say about it, newest first; and where the next page begins.

    A page ends early after SEARCH_S or MAX_CANDIDATES. Raises Refusal `busy` where the index alone takes
    longer.
    """
    query = parse_query(text)
    if query is None:
        return [], None
    ends = monotonic() + SEARCH_S
    hits: dict[tuple[UUID, UUID | None], Hit] = {}
    last, seen = before, 0
    while True:
        with statement_limit(SEARCH_S):
            ids = find_entries(user_id, query, last, CANDIDATES)
        for start in range(0, len(ids), SLICES):
            for id, hit in _look_at(ids[start : start + SLICES], query, hits):
                if len(hits) == PAGE:
                    return _without_doubles(hits), last
                last, seen = id, seen + 1
                if hit:
                    hits.setdefault((hit.conversation, hit.message), hit)
            if monotonic() > ends or seen >= MAX_CANDIDATES:
                return _without_doubles(hits), last
        if len(ids) < CANDIDATES:
            return _without_doubles(hits), None


def rebuild(batch: int = 500) -> int:
    """Index everything anew (after an import by other means), in slices; returns the number of messages."""
    for conversation in Conversation.objects.filter(temporary=False).order_by("created_at").iterator(batch):
        with transaction.atomic():
            index_title(conversation)
    writer: SliceWriter[tuple[Message, list[Part]]] = SliceWriter(_replace_parts, SliceBudget())
    rows = Message.objects.select_related("conversation").filter(conversation__temporary=False)
    count = 0
    for message in rows.exclude(generation__status__in=("queued", "running")).iterator(batch):
        writer.add((message, list(message_parts(message))), ROW_WEIGHT + len(message.content))
        count += 1
    writer.flush()
    return count


def _replace_parts(found: Sequence[tuple[Message, list[Part]]]) -> None:
    SearchEntry.objects.filter(message__in=[message.id for message, _ in found]).delete()
    write_parts([part for _, parts in found for part in parts])


Part = tuple[SearchEntry, set[str]]
"""An entry that is still to be written, and its terms."""


def title_part(conversation: Conversation) -> Part:
    """What makes the title found; computed without the database."""
    return SearchEntry(conversation=conversation), terms_in(conversation.title)


def message_parts(message: Message) -> Iterator[Part]:
    """What makes the message found, a part for each PART_CHARS of it; computed without the database."""
    for start in part_starts(len(message.content)):
        terms = terms_in(message.content[start : start + PART_CHARS])
        yield SearchEntry(conversation=message.conversation, message=message, start=start), terms


def part_starts(chars: int) -> range:
    """Where the parts begin of a message of so many characters."""
    return range(0, max(1, chars - OVERLAP_CHARS), PART_CHARS - OVERLAP_CHARS)


def write_parts(parts: Sequence[Part]) -> None:
    """Write prepared parts, in two statements. Call inside the transaction that writes what they find."""
    found = [part for part in parts if part[1]]
    entries = [entry for entry, _ in found]
    insert_rows_with_keys(entries)
    write_terms(
        [
            (entry.pk, entry.conversation.owner_id, terms)
            for entry, (_, terms) in zip(entries, found, strict=True)
        ]
    )


_LEAD = Case(When(start__gt=LEAD_CHARS, then=F("start") - LEAD_CHARS), default=Value(0))
_LOOKED_AT = (
    "id", "conversation_id", "conversation__title", "conversation__deleted_at", "conversation__updated_at",
    "message_id", "message__deleted_at", "message__role", "message__created_at", "start",
)  # fmt: skip


def _look_at(
    ids: Sequence[int], query: SearchQuery, known: Mapping[tuple[UUID, UUID | None], Hit]
) -> Iterator[tuple[int, Hit | None]]:
    """Each of these entries that is there still, with its hit if it is one.

    Of a message only the part is read, and none where another part of it was a hit.
    """
    rows = {row["id"]: row for row in SearchEntry.objects.filter(id__in=ids).values(*_LOOKED_AT)}
    wanted = [
        id
        for id, row in rows.items()
        if row["message_id"]
        and not (row["conversation__deleted_at"] or row["message__deleted_at"])
        and (row["conversation_id"], row["message_id"]) not in known
    ]
    # One character more tells whether anything follows.
    slice = Substr("message__content", _LEAD + 1, LEAD_CHARS + PART_CHARS + TRAIL_CHARS + 1)
    slices = dict(SearchEntry.objects.filter(id__in=wanted).values_list("id", slice)) if wanted else {}
    for id in ids:
        if row := rows.get(id):
            yield id, _hit(row, slices.get(id), query)


def _hit(row: Mapping[str, Any], slice: str | None, query: SearchQuery) -> Hit | None:
    """The entry as a hit, where the words really stand in it and it may be seen."""
    message, title = row["message_id"], row["conversation__title"]
    if row["conversation__deleted_at"] or (message and slice is None):
        return None
    most = LEAD_CHARS + PART_CHARS + TRAIL_CHARS
    text = title if slice is None else slice[:most]
    folded = fold_text(text)
    if not query.matches(folded):
        return None
    context = []
    if slice is not None:
        context = excerpt(
            text, query, folded=folded, markdown=True, cut=(row["start"] > LEAD_CHARS, len(slice) > most)
        )
    return Hit(
        conversation=row["conversation_id"],
        message=message,
        role=row["message__role"] or "",
        at=row["message__created_at"] or row["conversation__updated_at"],
        title=excerpt(title, query),
        context=context,
    )


def _without_doubles(hits: dict[tuple[UUID, UUID | None], Hit]) -> list[Hit]:
    """A title that is hit is shown with its messages' hits, if it has any here."""
    told = {conversation for conversation, message in hits if message is not None}
    return [hit for (home, message), hit in hits.items() if message is not None or home not in told]
