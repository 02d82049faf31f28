"""What a person set in motion and is not over: invitations, share links, exports, batches, API keys.

At deactivation, and where a role is lowered, all of it ends but for the kinds that are chosen to stay.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from django.db import transaction
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from chatsite.accounts.invitations import do_withdraw_invitations, open_invitations_by
from chatsite.accounts.keys import keys_of
from chatsite.accounts.models import Role, User
from chatsite.batches.actions import do_cancel_batches, open_batches_of
from chatsite.conversations.sharing import do_revoke_shares, shares_to_conversations_of
from chatsite.generations.cancel import do_revoke_keys_and_stop
from chatsite.generations.wakeup import notify_worker
from chatsite.jobs.actions import do_end_jobs, open_jobs_by

AUTHORITY = (Role.MEMBER, Role.AUDITOR, Role.ADMINISTRATOR, Role.OWNER)
"""Roles by what they may do, the least first."""

NAMED = 20
"""Of one kind, named in the list; of more the number is told."""


@dataclass(frozen=True)
class OutstandingKind:
    """`rows` are those of a user id; `end` ends them, and returns the generations to stop."""

    name: str
    label: Promise
    rows: Callable[[int], QuerySet[Any]]
    end: Callable[[int], list[UUID]]


def _ending(action: Callable[[int], None]) -> Callable[[int], list[UUID]]:
    """An action that stops no generation."""

    def end(user_id: int) -> list[UUID]:
        action(user_id)
        return []

    return end


KINDS = (
    OutstandingKind("invitations", _("Invitations"), open_invitations_by, _ending(do_withdraw_invitations)),
    OutstandingKind("shares", _("Share links"), shares_to_conversations_of, _ending(do_revoke_shares)),
    OutstandingKind("exports", _("Exports and imports"), open_jobs_by, _ending(do_end_jobs)),
    OutstandingKind("batches", _("Batches"), open_batches_of, do_cancel_batches),
    OutstandingKind("keys", _("API keys"), keys_of, do_revoke_keys_and_stop),
)


def outstanding(user_id: int) -> list[tuple[Promise, int, list[str]]]:
    """Label, number and the first names of each kind of which there is something."""
    counts = [(kind, kind.rows(user_id).count()) for kind in KINDS]
    return [
        (kind.label, count, [str(row) for row in kind.rows(user_id)[:NAMED]])
        for kind, count in counts
        if count
    ]


def is_demotion(before: str, after: str) -> bool:
    """Whether a person with the role `after` may do less than with `before`."""
    return AUTHORITY.index(Role(after)) < AUTHORITY.index(Role(before))


def do_end_outstanding(user: User, keep: Collection[str] = ()) -> dict[str, int]:
    """End all but the kinds to `keep`, in one transaction; returns how many of each there were."""
    ended: dict[str, int] = {}
    stopped: list[UUID] = []
    with transaction.atomic():
        for kind in KINDS:
            if kind.name not in keep and (count := kind.rows(user.pk).count()):
                stopped += kind.end(user.pk)
                ended[kind.name] = count
        if stopped:  # one wakeup is enough: the rows say which
            transaction.on_commit(lambda: async_to_sync(notify_worker)("cancelled", stopped[0]))
    return ended
