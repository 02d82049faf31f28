"""Who may see which document: its owner, while its conversation and a message with it are there.

A stranger's id is not_found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from chatsite.attachments.models import Attached, Attachment
from chatsite.conversations.models import Conversation
from chatsite.errors import Refusal


def visible_attachments(user_id: int) -> QuerySet[Attachment]:
    """All that this person may see, without their texts, which may be megabytes."""
    kept = Q(conversation=None) | Q(conversation__deleted_at=None)
    uses = Attached.objects.filter(attachment=OuterRef("pk"))
    gone = Exists(uses) & ~Exists(uses.filter(message__deleted_at=None))
    return Attachment.objects.filter(kept, ~gone, owner_id=user_id).defer("text")


def access_attachment(user_id: int, id: UUID) -> Attachment:
    """The document, without its text. Raises Refusal `not_found`."""
    found = visible_attachments(user_id).filter(id=id).first()
    if found is None:
        raise Refusal("not_found", "There is no such document.")
    return found


def access_attachments(user_id: int, ids: Sequence[UUID]) -> list[Attachment]:
    """All of these, in this order, with their texts. Raises Refusal `not_found`."""
    rows = visible_attachments(user_id).defer(None).in_bulk(list(ids))
    if len(rows) != len(set(ids)):
        raise Refusal("not_found", "A document is no longer there. Attach it again.")
    return [rows[id] for id in ids]


def attached_to(conversation: Conversation) -> dict[UUID, list[Attached]]:
    """The documents of its messages, in their order, without their texts."""
    found: dict[UUID, list[Attached]] = defaultdict(list)
    rows = Attached.objects.filter(message__conversation=conversation).select_related("attachment")
    for one in rows.defer("attachment__text").order_by("position"):
        found[one.message_id].append(one)
    return found
