"""Ending an account's presence at once: its sockets close, its runs stop."""

from __future__ import annotations

from asgiref.sync import async_to_sync
from django.db import transaction

from chatsite.accounts.sockets import tell_from_thread
from chatsite.generations.doorbell import ring
from chatsite.generations.models import ACTIVE, Generation


def do_deactivate(user_id: int) -> None:
    """Inside the transaction that clears `is_active`: stop what runs, close what is open after the commit."""
    active = Generation.objects.filter(user_id=user_id, status__in=ACTIVE)
    runs = list(active.values_list("id", flat=True))
    active.update(cancel_requested=True)

    def after() -> None:
        tell_from_thread(user_id, "account.closed")
        for run in runs[:1]:  # one ring is enough: the rows say which
            async_to_sync(ring)("cancelled", run)

    transaction.on_commit(after)
