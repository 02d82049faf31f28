"""Groups and their managers, who invite members. Each change by a manager is in the audit log."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from chatsite.accounts.invitations import do_invite, is_authorized
from chatsite.accounts.models import GroupManager, Invitation, Role, User
from chatsite.audit.record import record
from chatsite.errors import Refusal

GOOD_FOR = timedelta(days=7)
"""Validity of a manager's invitation: as long as the console's."""

MAX_OPEN = 20
"""Unused invitations into one group: enough for a class of newcomers."""


def managed_groups(manager: User) -> QuerySet[Group]:
    """The groups that this person manages."""
    return Group.objects.filter(managers__user=manager)


def open_invitations(group: Group) -> QuerySet[Invitation]:
    """Invitations into this group that can still be used."""
    return Invitation.objects.filter(group=group, used_at=None, ends_at__gt=timezone.now())


def do_invite_member(manager: User, group: Group, email: str) -> str:
    """Invite a member into the group; returns the token of the link, shown once. Raises Refusal `busy`."""
    with transaction.atomic():
        Group.objects.select_for_update().get(pk=group.pk)  # so that the limit is exact
        if open_invitations(group).count() >= MAX_OPEN:
            raise Refusal("busy", _("Too many invitations are open. Take one back first."))
        if User.objects.with_address(email):
            raise Refusal("busy", _("There is an account with this address; an administrator adds it."))
        row, token = do_invite(email, Role.MEMBER, group, timezone.now() + GOOD_FOR, manager)
        record(manager, "invited", row, after={"group": group.name})
    return token


def do_withdraw(manager: User, group: Group, invitation: int) -> None:
    """Delete an open invitation of a member into this group, the only kind that managers may create."""
    with transaction.atomic():
        row = open_invitations(group).filter(pk=invitation, role=Role.MEMBER).first()
        if row is not None:
            record(manager, "took back", row, before={"group": group.name})
            row.delete()


def do_set_managers(group: Group, users: Collection[User]) -> int:
    """Replace the group's managers by these users; returns how many invitations ended with the others'."""
    former = GroupManager.objects.filter(group=group).exclude(user__in=users)
    theirs = open_invitations(group).filter(created_by__in=list(former.values_list("user", flat=True)))
    with transaction.atomic():
        former.delete()
        for user in users:
            GroupManager.objects.get_or_create(group=group, user=user)
        ended = [row.pk for row in theirs.select_related("created_by") if not is_authorized(row)]
        Invitation.objects.filter(pk__in=ended).delete()
    return len(ended)
