"""The end of an account: nothing of the person stays, but for sums that name nobody.

Asking closes the account at once. The work is done by the sweep (or by `manage.py erase_account`) in short
transactions, so that ten thousand conversations hold up nobody, and goes on after a crash.
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

from chatsite.accounts.models import Invitation, User
from chatsite.archive.jobs import folder_of
from chatsite.archive.models import Erasure, Job
from chatsite.attachments.erase import erase_conversations, erase_files_of_user
from chatsite.audit.models import AuditEntry
from chatsite.conversations.models import Conversation
from chatsite.errors import Refusal
from chatsite.generations.deactivate import do_deactivate
from chatsite.quotas.actions import open_reservations, release
from chatsite.quotas.models import Balance

AT_ONCE = 50
"""Conversations erased by one call."""


@transaction.atomic
def do_ask_erasure(user_id: int, asked_by: int | None) -> None:
    """Close the account and have it erased. Raises Refusal for the last owner."""
    user = User.objects.select_for_update().get(pk=user_id)
    owners = User.objects.filter(is_superuser=True, is_active=True)
    if user.is_superuser and not owners.exclude(pk=user_id).exists():
        raise Refusal("not_found", "This is the last owner. Make somebody else an owner first.")
    Erasure.objects.get_or_create(user=user, defaults={"asked_by_id": asked_by})
    User.objects.filter(pk=user_id).update(is_active=False)
    do_deactivate(user_id)
    for session in sessions_of(user_id):
        session.delete()


def continue_erasures() -> int:
    """A part of what was asked for; returns how many rows went, 0 when nothing is left to do."""
    Erasure.objects.filter(user__is_active=True).delete()
    asked = Erasure.objects.order_by("asked_at").first()
    return erase_part(asked.user_id, asked.asked_by_id) if asked else 0


def erase_part(user_id: int, asked_by: int | None) -> int:
    """Some conversations; when there are none left, the account itself. Returns how many of them went."""
    ids = list(Conversation.objects.filter(owner_id=user_id).values_list("id", flat=True)[:AT_ONCE])
    if ids:
        erase_conversations(Conversation.objects.filter(id__in=ids))
        return len(ids)
    _erase_account(user_id, asked_by)
    return 1


@transaction.atomic
def _erase_account(user_id: int, asked_by: int | None) -> None:
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        return
    balance = Balance.objects.select_for_update().filter(user=user).first()
    # What stopped runs had reserved is given back while the person's balance is still there.
    release(list(open_reservations().filter(user=user).values_list("generation", flat=True)))
    name = f"former member {str(balance.person)[:8]}" if balance else "former member"
    _forget_name(user, name)
    jobs = Job.objects.filter(Q(owner=user) | Q(asked_by=user))
    folders = [folder_of(id) for id in jobs.values_list("id", flat=True)]
    erase_files_of_user(user_id)
    for session in sessions_of(user_id):
        session.delete()
    # A question that was asked between the last part and this one goes with its conversation.
    erase_conversations(Conversation.objects.filter(owner=user))
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
    Invitation.objects.filter(Q(used_by=user) | Q(email__iexact=email)).delete()
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
