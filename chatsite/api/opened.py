"""A conversation with its messages as JSON: at once where it is short, else in parts, as they are taken.

A long one is read by pages of messages, and a long message by slices: what nobody has taken yet stays in the
database.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from django.db.models import Q, QuerySet
from django.db.models.functions import Substr
from django.http import HttpResponseBase, StreamingHttpResponse

from chatsite.api.message_items import message_items
from chatsite.api.shapes import OpenedConversation
from chatsite.attachments.models import Attached
from chatsite.conversations.lengths import LENGTH, is_short, sizes_of
from chatsite.conversations.models import Message
from chatsite.database import give_back_connection, read_long
from chatsite.generations.models import ACTIVE
from chatsite.json_view import json_response
from chatsite.ratelimit import ConcurrencyLimit

SHORT_CHARS = 512 * 1024
"""Of a conversation that is answered at once: some hundred turns."""

PAGE_MESSAGES, PAGE_CHARS = 200, 128 * 1024
"""Of a page. A message that is longer than a page is read by itself, in slices."""

MAX_SLICES = 64
"""Of one message: a database reads up to a slice's beginning to find it."""

Documents = Mapping[UUID, Sequence[Attached]]
_encode = msgspec.json.Encoder().encode


LONG_ANSWERS = ConcurrencyLimit(3)
"""Of one person, until each is sent: a browser opens one, and another tab perhaps."""


def opened_response(
    owner: int, head: OpenedConversation, rows: QuerySet[Message], documents: Documents
) -> HttpResponseBase:
    """The conversation of this head, with these messages, oldest first. Raises Refusal `rate_limited`."""
    if is_short(rows, SHORT_CHARS):
        messages = message_items(rows, documents)
        head |= {"leaf": messages[-1]["id"] if messages else None, "messages": messages}
        return json_response(head)
    place = LONG_ANSWERS.take(owner)
    head["leaf"] = rows.order_by("-created_at", "-id").values_list("id", flat=True).first()
    response = StreamingHttpResponse(_parts(head, rows, documents), content_type="application/json")
    response["Cache-Control"] = "no-store"
    response._resource_closers.append(place.release)  # type: ignore[attr-defined]
    give_back_connection()  # the response's reader may take minutes
    return response


async def _parts(
    head: OpenedConversation, rows: QuerySet[Message], documents: Documents
) -> AsyncGenerator[bytes]:
    """The same bytes as at once. `messages` is the last field of the head, and empty."""
    yield _encode(head).removesuffix(b"]}")
    comma, last = b"", None
    while page := await read_long(_page, rows, last):
        last = page[-1]
        for group in _groups(page):
            async for part in _group(rows, group, documents):
                yield comma + part
                comma = b""
            comma = b","
    yield b"]}"


@dataclass(frozen=True)
class _Size:
    """Where a message stands in the order, and how long it is. A `whole` one is not read in slices."""

    created_at: datetime
    id: UUID
    chars: int
    whole: bool


def _page(rows: QuerySet[Message], last: _Size | None) -> list[_Size]:
    if last is not None:
        rows = rows.filter(Q(created_at__gt=last.created_at) | Q(created_at=last.created_at, id__gt=last.id))
    page, chars = [], 0
    # Of an answer that is being made, text and seq are of one moment: of one statement.
    for at, id, size, status in sizes_of(rows, "created_at", "id", LENGTH, "generation__status"):
        page.append(_Size(at, id, size, status in ACTIVE))
        chars += size
        if len(page) == PAGE_MESSAGES or chars > PAGE_CHARS:
            break
    return page


def _groups(page: Sequence[_Size]) -> Iterator[list[_Size]]:
    """Neighbours that fit into a page together; a longer message by itself."""
    group: list[_Size] = []
    for one in page:
        if group and sum(other.chars for other in group) + one.chars > PAGE_CHARS:
            yield group
            group = []
        group.append(one)
    yield group


async def _group(
    rows: QuerySet[Message], group: Sequence[_Size], documents: Documents
) -> AsyncGenerator[bytes]:
    (first, *others) = group
    if others or first.whole or first.chars <= PAGE_CHARS:
        items = await read_long(message_items, rows.filter(id__in=[one.id for one in group]), documents)
        yield b",".join(map(_encode, items))
        return
    row = rows.filter(id=first.id)
    (item,) = await read_long(message_items, row, documents, texts=False)
    size = max(PAGE_CHARS, first.chars // MAX_SLICES)
    before, _, rest = _encode(item).partition(b'"content":""')
    between, _, after = rest.partition(b'"reasoning":""')
    for opening, field in ((before, "content"), (between, "reasoning")):
        yield opening + f'"{field}":"'.encode()
        at = 1
        while text := await read_long(_slice, row, field, at, size):
            yield _encode(text)[1:-1]
            at += size
        yield b'"'
    yield after


def _slice(row: QuerySet[Message], field: str, at: int, size: int) -> str:
    return row.values_list(Substr(field, at, size), flat=True).first() or ""
