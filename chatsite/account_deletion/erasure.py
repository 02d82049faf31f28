"""Delete an account: everything of the person goes, but for sums of usage without a name.

A request closes the account at once. The work is done by the worker's cleanup (or by `manage.py
erase_account`) in short transactions, so that ten thousand conversations hold up nobody, and goes on after a
crash.
"""

from __future__ import annotations

import shutil
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth import SESSION_KEY
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q

from chatsite.account_deletion.erasure_list import listed_accounts, note_erasure
from chatsite.account_deletion.models import AccountDeletion
from chatsite.accounts.addresses import rows_of_address
from chatsite.accounts.models import Invitation, User
from chatsite.attachments.erase import (
    erase_conversations,
    erase_conversations_part,
    erase_documents_part,
)
from chatsite.attachments.models import Attachment
from chatsite.audit.models import AuditEntry
from chatsite.conversations.models import Conversation
from chatsite.conversations.scrub import note_erased, scrub_to_the_end
from chatsite.errors import Refusal
from chatsite.generations.deactivate import do_deactivate
from chatsite.jobs.actions import folder_of
from chatsite.jobs.models import Job
from chatsite.quotas.ledger import open_reservations, release
from chatsite.quotas.models import Balance
from chatsite.slices import SliceBudget


@transaction.atomic
def do_request_account_deletion(user_id: int, asked_by: int | None) -> None:
    """Close the account and have it erased. Raises Refusal for the last owner."""
    user = User.objects.select_for_update().get(pk=user_id)
    owners = User.objects.filter(is_superuser=True, is_active=True)
    if user.is_superuser and not owners.exclude(pk=user_id).exists():
        raise Refusal("not_found", "This is the last owner. Make somebody else an owner first.")
    AccountDeletion.objects.get_or_create(user=user, defaults={"asked_by_id": asked_by})
    User.objects.filter(pk=user_id).update(is_active=False)
    do_deactivate(user_id)
    for session in sessions_of(user_id):
        session.delete()


def continue_account_deletions() -> int:
    """A part of what was asked for; returns how many rows went, 0 when nothing is left to do."""
    AccountDeletion.objects.filter(user__is_active=True).delete()
    asked = AccountDeletion.objects.order_by("asked_at").first()
    return erase_account_part(asked.user_id, asked.asked_by_id) if asked else 0


def close_again() -> list[int]:
    """Close the accounts that a restored database brought back and have them erased; returns which."""
    back = listed_accounts()
    for id in back:
        with transaction.atomic():
            AccountDeletion.objects.get_or_create(user_id=id)
            User.objects.filter(pk=id).update(is_active=False)
    return back


def erase_again() -> int:
    """Erase, to the end, the accounts that a restored database brought back; returns how many."""
    back = close_again()
    for id in back:
        pauses = SliceBudget()
        while User.objects.filter(pk=id).exists():
            erase_account_part(id, None)
            pauses.pause()
    if back:
        scrub_to_the_end()
    return len(back)


def erase_account_part(user_id: int, asked_by: int | None) -> int:
    """A slice of what is the person's; when there is nothing left, the account itself. Returns rows gone."""
    gone = erase_conversations_part(Conversation.objects.filter(owner_id=user_id)) or erase_documents_part(
        Attachment.objects.filter(owner_id=user_id)
    )
    if gone:
        return gone
    _erase_account(user_id, asked_by)
    note_erased(everything=True)
    return 1


@transaction.atomic
def _erase_account(user_id: int, asked_by: int | None) -> None:
    # The balance before the person, as whoever books for them does: its rows point to the person.
    balance = Balance.objects.select_for_update().filter(user_id=user_id).first()
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        return
    # What stopped runs had reserved is given back while the person's balance is still there.
    release(list(open_reservations().filter(user=user).values_list("generation", flat=True)))
    name = f"former member {str(balance.person)[:8]}" if balance else "former member"
    _forget_name(user, name)
    jobs = Job.objects.filter(Q(owner=user) | Q(asked_by=user))
    folders = [folder_of(id) for id in jobs.values_list("id", flat=True)]
    for session in sessions_of(user_id):
        session.delete()
    # What came between the last slice and this one goes with the person.
    erase_conversations(Conversation.objects.filter(owner=user))
    while erase_documents_part(Attachment.objects.filter(owner=user)):
        pass
    note_erasure(user)
    user.delete()
    AuditEntry.objects.create(
        actor_id=asked_by if asked_by != user_id else None,
        actor_name=_actor(asked_by, user_id, name),
        action="erased",
        subject=f"the account of {name}",
    )

    def remove() -> None:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)

    transaction.on_commit(remove)


def _actor(asked_by: int | None, user_id: int, name: str) -> str:
    if asked_by == user_id:
        return name
    actor = User.objects.filter(pk=asked_by).first() if asked_by else None
    return str(actor or "manage.py")


def _forget_name(user: User, name: str) -> None:
    """The audit keeps what was done; the address in it becomes a name that says nothing."""
    email = user.email
    Invitation.objects.filter(Q(used_by=user) | Q(created_by=user, used_at=None)).delete()
    for invitation in rows_of_address(Invitation.objects.all(), email):
        invitation.delete()
    kind = ContentType.objects.get_for_model(User)
    LogEntry.objects.filter(content_type=kind, object_id=str(user.pk)).delete()
    mentioned = (
        Q(actor=user) | Q(actor_name__icontains=email) | Q(subject__icontains=email)
        | Q(before__icontains=email) | Q(after__icontains=email)
    )  # fmt: skip
    for entry in AuditEntry.objects.filter(mentioned):
        values: dict[str, Any] = {
            "actor_name": name if entry.actor_id == user.pk else _without(entry.actor_name, user, name),
            "subject": _without(entry.subject, user, name),
            "before": {key: _without(value, user, name) for key, value in entry.before.items()},
            "after": {key: _without(value, user, name) for key, value in entry.after.items()},
        }
        AuditEntry.objects.filter(pk=entry.pk).update(**values)


def _without(value: Any, user: User, name: str) -> Any:
    if not isinstance(value, str):
        return value
    for own in filter(None, (user.email, user.name)):
        value = value.replace(own, name)
    return value


def sessions_of(user_id: int) -> list[Session]:
    """Sessions of this person, expired ones too. They say whose they are only when they are decoded."""
    rows = Session.objects.iterator()
    return [row for row in rows if str(row.get_decoded().get(SESSION_KEY)) == str(user_id)]
