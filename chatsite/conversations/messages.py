"""What people do to single messages: put an answer in their own words, say what they think of it."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from chatsite.conversations.access import access_message
from chatsite.conversations.models import Conversation, Feedback, Message
from chatsite.conversations.search import index_messages
from chatsite.errors import Refusal


@transaction.atomic
def do_edit_answer(user_id: int, id: UUID, content: str) -> Message:
    """An answer in the person's words, beside the one that the model gave. Raises Refusal."""
    given = access_answer(user_id, id)
    if not content.strip():
        raise Refusal("empty", "An answer needs at least one visible character.")
    edited = Message.objects.create(
        conversation=given.conversation, parent=given.parent, role=Message.Role.ASSISTANT, content=content
    )
    index_messages([edited])
    Conversation.objects.filter(id=given.conversation_id).update(updated_at=timezone.now())
    return edited


def do_rate(user_id: int, id: UUID, value: int, comment: str) -> None:
    """1 good, -1 bad, 0 takes it back. Raises Refusal `not_found`."""
    answer = access_answer(user_id, id)
    if value == 0:
        Feedback.objects.filter(message=answer).delete()
    else:
        Feedback.objects.update_or_create(message=answer, defaults={"value": value, "comment": comment})


def access_answer(user_id: int, id: UUID) -> Message:
    """The answer, not the question. Raises Refusal `not_found`."""
    found = access_message(user_id, id)
    if found.role != Message.Role.ASSISTANT:
        raise Refusal("not_found", "There is no such answer.")
    return found
