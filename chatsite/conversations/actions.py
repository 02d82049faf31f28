"""What people do to conversations: rename, pin, archive, file, delete, undo. Each is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from chatsite.conversations.access import access_conversation, visible_conversations
from chatsite.conversations.models import Conversation, TitleSource
from chatsite.conversations.search import index_title
from chatsite.database import lock_in_order
from chatsite.errors import Refusal
from chatsite.names import is_name, single_line

UNDO_S = 60
"""How long a deletion can be undone."""

TEMPORARY_IDLE_S = 3_600
"""A temporary chat ends when its page leaves it; one whose browser could not say so ends after this."""


@transaction.atomic
def do_update_conversation(
    user_id: int,
    id: UUID,
    *,
    title: str | None = None,
    pinned: bool | None = None,
) -> Conversation:
    """Rename or pin. Its place in the list does not move. Raises Refusal."""
    row = access_conversation(user_id, id)
    if title is not None:
        row.title, row.naming = _check_title(title), TitleSource.PERSON
        index_title(row)
    if pinned is not None:
        row.pinned = pinned
    row.save(update_fields=["title", "naming", "pinned"])
    return row


@transaction.atomic
def do_move_conversations(
    user_id: int, ids: Sequence[UUID], *, archived: bool | None = None, folder: str | None = None
) -> None:
    """Archive many, or file them (an empty name: out of their folder), all or none. Raises Refusal."""
    rows = _access_all(user_id, ids)
    if archived is not None:
        rows.update(archived=archived)
    if folder is not None:
        rows.update(folder=_check_title(folder) if folder.strip() else "")


@transaction.atomic
def do_delete_conversations(user_id: int, ids: Sequence[UUID]) -> None:
    """Hide at once, all or none; the rows go when the time to undo is over. Raises Refusal."""
    _access_all(user_id, ids).update(deleted_at=timezone.now())


def _access_all(user_id: int, ids: Sequence[UUID]) -> QuerySet[Conversation]:
    """Locks them: call it inside the transaction that changes them. Raises Refusal `not_found`."""
    found = lock_in_order(visible_conversations(user_id).filter(id__in=ids))
    if len(found) != len(set(ids)):
        raise Refusal("not_found", "There is no such conversation.")
    return Conversation.objects.filter(id__in=found)


@transaction.atomic
def do_restore_conversations(user_id: int, ids: Sequence[UUID]) -> list[Conversation]:
    """Undo deletions of the last minute. Raises Refusal `not_found`."""
    now = timezone.now()
    undoable = Conversation.objects.filter(
        id__in=ids, owner_id=user_id, deleted_at__range=(now - timedelta(seconds=UNDO_S), now)
    )
    deleted = lock_in_order(undoable)
    if not deleted:
        raise Refusal("not_found", _("There is nothing to undo."))
    Conversation.objects.filter(id__in=deleted).update(deleted_at=None)
    return list(visible_conversations(user_id).filter(id__in=ids))


def conversations_due_for_erasure() -> QuerySet[Conversation]:
    """What can no longer be undone, and temporary chats that nobody came back to (attachments/erase.py)."""
    now = timezone.now()
    forgotten = Q(temporary=True, updated_at__lt=now - timedelta(seconds=TEMPORARY_IDLE_S))
    over = Q(deleted_at__lt=now - timedelta(seconds=UNDO_S))
    return Conversation.objects.filter(over | forgotten)


def _check_title(title: str) -> str:
    line = single_line(title)
    if not is_name(line):
        raise Refusal(
            "empty",
            "A title needs at least one visible character, and no control or direction override.",
        )
    return line
