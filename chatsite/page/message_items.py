"""Messages as the page shows them: one query, and no rows built, so that a thousand open at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from chatsite.attachments.models import Attached
from chatsite.conversations.models import Message
from chatsite.page.attachments import attached_item

_MESSAGE = ("id", "parent", "role", "content", "reasoning", "created_at")
_FEEDBACK = ("value", "comment")
_GENERATION = ("id", "status", "seq", "finish_reason", "message", "usage", "first_message")
_FIELDS = (
    *_MESSAGE,
    *(f"feedback__{name}" for name in _FEEDBACK),
    *(f"generation__{name}" for name in _GENERATION),
)


def message_items(
    rows: QuerySet[Message], documents: Mapping[UUID, Sequence[Attached]] | None = None
) -> list[dict[str, Any]]:
    """Each message with the generation that makes or made it. Text and seq are of one moment."""
    attached = documents or {}
    items = []
    for row in rows.order_by("created_at", "id").values_list(*_FIELDS):
        message, feedback, job = row[:6], row[6:8], row[8:]
        items.append(
            dict(zip(_MESSAGE, message, strict=True))
            | {
                "generation": None if job[0] is None else _generation(job),
                "feedback": None if feedback[0] is None else dict(zip(_FEEDBACK, feedback, strict=True)),
                "attachments": [attached_item(one) for one in attached.get(message[0], ())],
            }
        )
    return items


def _generation(job: Sequence[Any]) -> dict[str, Any]:
    found = dict(zip(_GENERATION, job, strict=True))
    return found | {"finish_reason": found["finish_reason"] or None}
