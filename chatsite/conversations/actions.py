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
from chatsite.conversations.models import Conversation, Naming
from chatsite.conversations.search import index_title
from chatsite.errors import Refusal

UNDO_S = 60
"""How long a deletion can be undone."""

TEMPORARY_IDLE_S = 3_600
"""A temporary chat ends when its page leaves it; one whose browser could not say so ends after this."""


@transaction.atomic
def do_change(
    user_id: int,
    id: UUID,
    *,
    title: str | None = None,
    pinned: bool | None = None,
) -> Conversation:
    """Rename or pin. Its place in the list does not move. Raises Refusal."""
    row = access_conversation(user_id, id)
    if title is not None:
        row.title, row.naming = _check_title(title), Naming.PERSON
        index_title(row)
    if pinned is not None:
        row.pinned = pinned
    row.save(update_fields=["title", "naming", "pinned"])
    return row


@transaction.atomic
def do_file(
    user_id: int, ids: Sequence[UUID], *, archived: bool | None = None, folder: str | None = None
) -> None:
    """Archive many, or file them (an empty name: out of their folder), all or none. Raises Refusal."""
    rows = _access_all(user_id, ids)
    if archived is not None:
        rows.update(archived=archived)
    if folder is not None:
        rows.update(folder=_check_title(folder) if folder.strip() else "")


def do_delete(user_id: int, ids: Sequence[UUID]) -> None:
    """Hide at once, all or none; the rows go when the time to undo is over. Raises Refusal."""
    _access_all(user_id, ids).update(deleted_at=timezone.now())


def _access_all(user_id: int, ids: Sequence[UUID]) -> QuerySet[Conversation]:
    rows = visible_conversations(user_id).filter(id__in=ids)
    if rows.count() != len(set(ids)):
        raise Refusal("not_found", "There is no such conversation.")
    return rows


def do_restore(user_id: int, ids: Sequence[UUID]) -> list[Conversation]:
    """Undo deletions of the last minute. Raises Refusal `not_found`."""
    since = timezone.now() - timedelta(seconds=UNDO_S)
    changed = Conversation.objects.filter(id__in=ids, owner_id=user_id, deleted_at__gte=since).update(
        deleted_at=None
    )
    if not changed:
        raise Refusal("not_found", _("There is nothing to undo."))
    return list(visible_conversations(user_id).filter(id__in=ids))


def due_for_erasure() -> QuerySet[Conversation]:
    """What can no longer be undone, and temporary chats that nobody came back to (attachments/erase.py)."""
    now = timezone.now()
    forgotten = Q(temporary=True, updated_at__lt=now - timedelta(seconds=TEMPORARY_IDLE_S))
    over = Q(deleted_at__lt=now - timedelta(seconds=UNDO_S))
    return Conversation.objects.filter(over | forgotten)


def _check_title(title: str) -> str:
    line = " ".join(title.split())
    if not line or not line.isprintable():
        raise Refusal("empty", "A title needs at least one visible character.")
    return line
