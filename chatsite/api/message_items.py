"""Messages as the page shows them: one query, and no rows built, so that a thousand open at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from django.db.models import QuerySet, Value

from chatsite.api.attachments import attached_item
from chatsite.api.shapes import GenerationItem, MessageItem
from chatsite.attachments.models import Attached
from chatsite.conversations.models import Message

_MESSAGE = ("id", "parent", "role", "content", "reasoning", "created_at")
_TEXTS = ("content", "reasoning")
_FEEDBACK = ("value", "comment")
_GENERATION = ("id", "status", "seq", "finish_reason", "message", "usage", "first_message")
_FIELDS = (
    *_MESSAGE,
    *(f"feedback__{name}" for name in _FEEDBACK),
    *(f"generation__{name}" for name in _GENERATION),
)


def message_items(
    rows: QuerySet[Message], documents: Mapping[UUID, Sequence[Attached]] | None = None, *, texts: bool = True
) -> list[MessageItem]:
    """Each message with the generation that makes or made it. Text and seq are of one moment.

    Without `texts` content and reasoning are empty.
    """
    attached = documents or {}
    items: list[MessageItem] = []
    fields = [Value("") if not texts and name in _TEXTS else name for name in _FIELDS]
    for row in rows.order_by("created_at", "id").values_list(*fields):
        message, feedback, job = row[:6], row[6:8], row[8:]
        items.append(
            {
                **dict(zip(_MESSAGE, message, strict=True)),  # type: ignore[typeddict-item]
                "generation": None if job[0] is None else _generation(job),
                "feedback": None if feedback[0] is None else {"value": feedback[0], "comment": feedback[1]},
                "attachments": [attached_item(one) for one in attached.get(message[0], ())],
            }
        )
    return items


def _generation(job: Sequence[Any]) -> GenerationItem:
    found = cast(GenerationItem, dict(zip(_GENERATION, job, strict=True)))
    return {**found, "finish_reason": found["finish_reason"] or None}
