"""Who may see which row. Every route and frame passes through here; a stranger's id is not_found."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from chatsite.conversations.models import Conversation, Message, Naming
from chatsite.errors import Refusal


def visible_conversations(user_id: int) -> QuerySet[Conversation]:
    """All that this person may see: their own, not deleted. Temporary ones too, but no list shows them."""
    return Conversation.objects.filter(owner_id=user_id, deleted_at=None).exclude(naming=Naming.NONE)


def access_conversation(user_id: int, conversation: UUID) -> Conversation:
    """The conversation. Raises Refusal `not_found`."""
    found = visible_conversations(user_id).filter(id=conversation).first()
    if found is None:
        raise Refusal("not_found", "There is no such conversation.")
    return found


def access_message(user_id: int, message: UUID) -> Message:
    """The message, with its conversation. Raises Refusal `not_found`."""
    found = (
        Message.objects.select_related("conversation", "parent")
        .filter(id=message, conversation__in=visible_conversations(user_id))
        .first()
    )
    if found is None:
        raise Refusal("not_found", "There is no such message.")
    return found
