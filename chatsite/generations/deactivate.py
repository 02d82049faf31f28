"""Ending an account's presence at once: its sockets close, its runs stop."""

from __future__ import annotations

from asgiref.sync import async_to_sync
from django.db import transaction

from chatsite.accounts.socket_events import notify_user_sync
from chatsite.generations.cancel import do_stop
from chatsite.generations.models import Generation
from chatsite.generations.wakeup import notify_worker


def do_deactivate(user_id: int) -> None:
    """Inside the transaction that clears `is_active`: stop what runs, close what is open after the commit."""
    runs = do_stop(Generation.objects.filter(user_id=user_id))

    def after() -> None:
        notify_user_sync(user_id, "account.closed")
        for run in runs[:1]:  # one wakeup is enough: the rows say which
            async_to_sync(notify_worker)("cancelled", run)

    transaction.on_commit(after)
