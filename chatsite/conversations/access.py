"""Who may see which row. Every route and frame passes through here; a stranger's id is not_found."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import BigIntegerField, QuerySet, UUIDField

from chatsite.conversations.models import Conversation, Message, TitleSource
from chatsite.errors import Refusal
from chatsite.prepared_query import PreparedQuery


def visible_conversations(user_id: Any) -> QuerySet[Conversation]:
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
    found = _CONVERSATION.first(user_id=user_id, conversation=conversation)
    if found is None:
        raise Refusal("not_found", "There is no such conversation.")
    return found


def access_message(user_id: int, message: UUID) -> Message:
    """The message, with its conversation. Raises Refusal `not_found`."""
    found = _MESSAGE.first(user_id=user_id, message=message)
    if found is None:
        raise Refusal("not_found", "There is no such message.")
    return found


def _visible_conversation(user_id: Any, conversation: Any) -> QuerySet[Conversation]:
    return visible_conversations(user_id).filter(id=conversation)


def _visible_message(user_id: Any, message: Any) -> QuerySet[Message]:
    return Message.objects.select_related("conversation", "parent").filter(
        id=message, deleted_at=None, conversation__in=visible_conversations(user_id)
    )


_CONVERSATION = PreparedQuery(_visible_conversation, user_id=BigIntegerField(), conversation=UUIDField())
_MESSAGE = PreparedQuery(_visible_message, user_id=BigIntegerField(), message=UUIDField())
