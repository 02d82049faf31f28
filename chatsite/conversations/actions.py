"""What people do to conversations: rename, pin, delete, undo. Each is one transaction."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from chatsite.conversations.access import access_conversation
from chatsite.conversations.models import Conversation
from chatsite.conversations.search import index_title
from chatsite.errors import Refusal

UNDO_S = 60
"""How long a deletion can be undone."""


@transaction.atomic
def do_change(user_id: int, id: UUID, *, title: str | None, pinned: bool | None) -> Conversation:
    """Rename or pin. Its place in the list does not move. Raises Refusal."""
    row = access_conversation(user_id, id)
    if title is not None:
        row.title = _check_title(title)
        index_title(row)
    if pinned is not None:
        row.pinned = pinned
    row.save(update_fields=["title", "pinned"])
    return row


def do_delete(user_id: int, id: UUID) -> None:
    """Hide at once; the rows go when the time to undo is over. Raises Refusal."""
    access_conversation(user_id, id)
    Conversation.objects.filter(id=id, deleted_at=None).update(deleted_at=timezone.now())


def do_restore(user_id: int, id: UUID) -> Conversation:
    """Undo a deletion of the last minute. Raises Refusal `not_found`."""
    since = timezone.now() - timedelta(seconds=UNDO_S)
    changed = Conversation.objects.filter(id=id, owner_id=user_id, deleted_at__gte=since).update(
        deleted_at=None
    )
    if not changed:
        raise Refusal("not_found", "There is nothing to undo.")
    return access_conversation(user_id, id)


def purge_deleted() -> int:
    """Erase what can no longer be undone; returns how many conversations went."""
    before = timezone.now() - timedelta(seconds=UNDO_S)
    return Conversation.objects.filter(deleted_at__lt=before).delete()[0]


def _check_title(title: str) -> str:
    line = " ".join(title.split())
    if not line or not line.isprintable():
        raise Refusal("empty", "A title needs at least one visible character.")
    return line
