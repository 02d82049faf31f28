"""Deleting conversations: their answers stop, and every open page of the person hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from asgiref.sync import async_to_sync
from django.db import transaction

from chatsite.conversations.actions import do_delete_conversations
from chatsite.conversations.change_events import notify_changed_from_thread
from chatsite.generations.cancel import do_stop
from chatsite.generations.models import Generation
from chatsite.generations.wakeup import notify_worker


def do_delete_and_stop(user_id: int, conversations: Sequence[UUID]) -> None:
    """Hide them at once, all or none, and stop what is asked there. Undone, they hold what was written.

    Raises Refusal `not_found`.
    """
    with transaction.atomic():
        do_delete_conversations(user_id, conversations)
        stopped = do_stop(Generation.objects.filter(conversation__in=conversations))
    notify_changed_from_thread(user_id, conversations)
    for generation in stopped[:1]:  # one wakeup is enough: the rows say which
        async_to_sync(notify_worker)("cancelled", generation)
