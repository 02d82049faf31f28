"""What people do to single messages: put an answer in their own words, rate it, delete, undo."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from chatsite.conversations.access import access_message, visible_conversations
from chatsite.conversations.actions import UNDO_S
from chatsite.conversations.models import Conversation, Feedback, Message
from chatsite.conversations.search import index_messages
from chatsite.database import lock_in_order
from chatsite.errors import Refusal


@transaction.atomic
def do_edit_answer(user_id: int, id: UUID, content: str) -> Message:
    """An answer in the person's words, beside the one that the model gave. Raises Refusal."""
    given = access_answer(user_id, id)
    if not content.strip():
        raise Refusal("empty", "An answer needs at least one visible character.")
    Conversation.objects.filter(id=given.conversation_id).update(updated_at=timezone.now())
    check_not_deleted(given.id)
    edited = Message.objects.create(
        conversation=given.conversation, parent=given.parent, role=Message.Role.ASSISTANT, content=content
    )
    index_messages([edited])
    return edited


def do_set_feedback(user_id: int, id: UUID, value: int, comment: str) -> None:
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


@transaction.atomic
def do_delete_message(user_id: int, id: UUID) -> list[UUID]:
    """Hide a message with all that follows it; the rows go when the time to undo is over.

    Returns what was hidden, the message first. Raises Refusal: `busy` while an answer is being made there.
    Locks the conversation, as whoever writes a message does (`check_not_deleted`): none is added meanwhile.
    """
    home = access_message(user_id, id).conversation_id
    _lock(user_id, home)
    there = Message.objects.filter(conversation=home, deleted_at=None)
    doomed = _from(id, there.values_list("id", "parent_id"))
    if not doomed:
        raise Refusal("not_found", "There is no such message.")
    if there.filter(id__in=doomed, generation__status__in=("queued", "running")).exists():
        raise Refusal("busy", _("An answer is being written there. Stop it first, or wait for its end."))
    there.filter(id__in=doomed).update(deleted_at=timezone.now())
    return doomed


@transaction.atomic
def do_restore_message(user_id: int, id: UUID) -> Message:
    """Undo a deletion of the last minute: what it hid, and nothing that was deleted before it.

    Raises Refusal `not_found`, also where what it followed has been deleted since.
    """
    row = Message.objects.filter(id=id, conversation__in=visible_conversations(user_id)).first()
    if row is not None:
        _lock(user_id, row.conversation_id)
        since = timezone.now() - timedelta(seconds=UNDO_S)
        row = Message.objects.select_related("parent").filter(id=id, deleted_at__gte=since).first()
    if row is None or (row.parent and row.parent.deleted_at):
        raise Refusal("not_found", _("There is nothing to undo."))
    together = Message.objects.filter(conversation=row.conversation_id, deleted_at=row.deleted_at)
    together.filter(id__in=_from(id, together.values_list("id", "parent_id"))).update(deleted_at=None)
    return row


def messages_due_for_erasure() -> QuerySet[Message]:
    """What can no longer be undone. What follows such a message was deleted with it or before it."""
    return Message.objects.filter(deleted_at__lt=timezone.now() - timedelta(seconds=UNDO_S))


def check_not_deleted(id: UUID) -> None:
    """A message that another shall follow is there still. Raises Refusal `not_found`.

    Call it in the transaction that writes the other one, after its update of the conversation: that waits for
    a deletion under way, and the next one waits for it.
    """
    if not Message.objects.filter(id=id, deleted_at=None).exists():
        raise Refusal("not_found", "What this follows has been deleted.")


def _lock(user_id: int, conversation: UUID) -> None:
    """PostgreSQL's lock on the row; SQLite has one writer anyway. Raises Refusal `not_found`."""
    if not lock_in_order(visible_conversations(user_id).filter(id=conversation)):
        raise Refusal("not_found", "There is no such conversation.")


def _from(first: UUID, links: Iterable[tuple[UUID, UUID | None]]) -> list[UUID]:
    """The message and all that follow it, of these messages and their parents; none if it is not there."""
    below: dict[UUID | None, list[UUID]] = {}
    known = set()
    for id, parent in links:
        known.add(id)
        below.setdefault(parent, []).append(id)
    found = [first] if first in known else []
    for id in found:
        found.extend(below.get(id, []))
    return found
