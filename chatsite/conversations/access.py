"""Who may see which row. Every route and frame passes through here; a stranger's id is not_found."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from chatsite.conversations.models import Conversation, Message, TitleSource
from chatsite.errors import Refusal


def visible_conversations(user_id: int) -> QuerySet[Conversation]:
    """All that this person may see: their own, not deleted. Temporary ones too, but no list shows them."""
    return Conversation.objects.filter(owner_id=user_id, deleted_at=None).exclude(naming=TitleSource.NONE)


def conversations_for_staff() -> QuerySet[Conversation]:
    """All that staff may read, where the site's policy says so: the caller notes each look in the audit log.

    Raises Refusal `not_found` where it does not.
    """
    if not settings.STAFF_MAY_READ:
        raise Refusal("not_found", "Staff reads no conversations here; CHATSITE_STAFF_MAY_READ would let it.")
    return Conversation.objects.filter(deleted_at=None, temporary=False)


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
        .filter(id=message, deleted_at=None, conversation__in=visible_conversations(user_id))
        .first()
    )
    if found is None:
        raise Refusal("not_found", "There is no such message.")
    return found
